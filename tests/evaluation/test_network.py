"""Counting, and answers to networks that cannot be attacked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import RunError
from robustbench_cli.evaluation.network import Network, predict_clean
from robustbench_cli.evaluation.throughput.batches import Batches


class Answer(nn.Module):
    def __init__(self, answer: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> object:
        return self.answer(x)


def test_counts_images_and_leaves_no_hook(cnn: nn.Module) -> None:
    network = Network(cnn)
    x = torch.rand(7, 1, 8, 8, requires_grad=True)
    network(x).sum().backward()
    with torch.no_grad():
        network(x)
    assert (network.forwards, network.backwards) == (14, 7)
    assert not any(m._forward_hooks or m._backward_hooks for m in cnn.modules())
    assert network.has_gradient


def test_a_threshold_has_gradient_zero_instead_of_an_exception() -> None:
    network = Network(Answer(lambda x: (x > 0.5).float().flatten(1)))
    x = torch.rand(3, 1, 2, 2, requires_grad=True)
    answer = network(x)
    answer.sum().backward()
    assert torch.equal(answer, (x > 0.5).float().flatten(1))
    assert x.grad is not None and not x.grad.any()
    assert not network.has_gradient


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: torch.zeros(len(x), 3), "3 classes and the labels reach 3"),
        (lambda x: torch.full((len(x), 4), torch.nan), "answers NaN to unchanged images"),
        (lambda x: torch.zeros(len(x)), r"answers with \(60,\); expected logits \(60, classes\)"),
        (lambda x: (torch.zeros(len(x), 4),), "answers with a tuple"),
        (lambda x: x @ torch.zeros(3, 3), "cannot take 1x8x8 images"),
    ],
)
def test_unusable_answers_are_one_line(
    answer: Callable[[Tensor], object], message: str, images: Images
) -> None:
    network = Network(Answer(answer))
    with pytest.raises(RunError, match=message) as caught:
        predict_clean(network, images, Batches(100, images.shape, torch.device("cpu")))
    assert "\n" not in str(caught.value)


def test_pixels_must_lie_between_0_and_1(cnn: nn.Module, images: Images) -> None:
    wrong = Images(images.x * 2 - 1, images.labels)
    with pytest.raises(RunError, match=r"pixels outside \[0, 1\]"):
        predict_clean(Network(cnn), wrong, Batches(100, images.shape, torch.device("cpu")))
