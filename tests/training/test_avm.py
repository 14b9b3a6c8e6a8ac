"""Adversarial vertex mixup: its labels, its vertex, and both ends of the segment."""

from __future__ import annotations

import pytest
import torch
from small import CLASSES, make_batch, make_model
from torch import Tensor, nn

from robustbench_cli.models.model import Model
from robustbench_cli.spec import build
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.avm import smoothed


def trained_on(text: str, model: Model, batch: Batch) -> Batch:
    """The batch that the method hands on."""
    handed: list[Batch] = []

    def rest(_: Model, given: Batch) -> Outcome:
        handed.append(given)
        return Outcome(torch.zeros(()), given.y)

    build(Method, text).step(model, batch, rest)
    (only,) = handed
    return only


def two_pixels() -> tuple[Model, Batch]:
    """A linear network whose attack is known: up the loss of class 0 is (+, -)."""
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.data = torch.tensor([[0.0, 0.0], [1.0, -2.0]])
    model = Model(nn.Sequential(nn.Flatten(), layer), (), "1", [0.0], [1.0])
    return model, Batch.of(torch.tensor([[[[0.5, 0.15]]]]), torch.tensor([0]), 2)


def draws(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    """The share of the vertex, 1 - a, is `value` for every image."""
    monkeypatch.setattr(torch, "rand", lambda *size, **kwargs: torch.full(size, value))


def test_at_the_images_end_it_is_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    draws(monkeypatch, 0.0)
    model, batch = two_pixels()
    given = trained_on("avm:eps=0.1", model, batch)
    assert torch.equal(given.x, batch.x) and torch.equal(given.y, batch.y)


def test_at_the_other_end_it_is_the_vertex(monkeypatch: pytest.MonkeyPatch) -> None:
    draws(monkeypatch, 1.0)
    model, batch = two_pixels()
    given = trained_on("avm:eps=0.1,far=0.6", model, batch)
    # twice the perturbation (+0.1, -0.1), and clipped: 0.15 - 0.2 is below 0
    torch.testing.assert_close(given.x.flatten(), torch.tensor([0.7, 0.0]))
    torch.testing.assert_close(given.y, torch.tensor([[0.6, 0.4]]))


def test_between_them_image_and_label_move_together(monkeypatch: pytest.MonkeyPatch) -> None:
    draws(monkeypatch, 0.25)
    model, batch = two_pixels()
    given = trained_on("avm:eps=0.1,gamma=1,far=0.6", model, batch)
    torch.testing.assert_close(given.x.flatten(), torch.tensor([0.525, 0.125]))
    torch.testing.assert_close(given.y, torch.tensor([[0.9, 0.1]]))


def test_every_image_draws_a_share_of_its_own() -> None:
    batch = make_batch(64)
    given = trained_on("avm:steps=1,eps=0.1,far=0", make_model(), batch)
    shares = (given.y * batch.y).sum(1)  # with κ = 0 at the vertex, what is left is a
    assert len(shares.unique()) == 64
    assert abs(shares.mean() - 0.5) < 0.15 and shares.min() < 0.1 and shares.max() > 0.9
    torch.testing.assert_close(given.y.sum(1), torch.ones(64))


@pytest.mark.parametrize("keep", [1.0, 0.7, 0.1, 0.0])
def test_the_smoothing_is_the_papers(keep: float) -> None:
    expected = torch.full((1, CLASSES), (1 - keep) / (CLASSES - 1))
    expected[0, 2] = keep
    torch.testing.assert_close(smoothed(torch.eye(CLASSES)[2:3], keep), expected)


def test_ten_classes_make_the_vertexs_usual_label_uniform() -> None:
    y = torch.eye(10)
    torch.testing.assert_close(smoothed(y, 0.1), torch.full((10, 10), 0.1))


def test_soft_labels_stay_distributions() -> None:
    y: Tensor = torch.rand(5, CLASSES)
    y = y / y.sum(1, keepdim=True)
    torch.testing.assert_close(smoothed(y, 0.3).sum(1), torch.ones(5))
