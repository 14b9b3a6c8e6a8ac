"""BoundaryAttack finds a start for whom it can, and never asks more than it may."""

from __future__ import annotations

import pytest
import torch
from foolbox.models.pytorch import PyTorchModel
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import eps_range
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.algorithms import boundary_start
from robustbench_cli.evaluation.algorithms.boundary_start import cost_of_start, find_starts
from robustbench_cli.evaluation.attack import Attack, Samples
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.spec import build

GREY = Images(torch.full((30, 1, 8, 8), 0.5), torch.zeros(30, dtype=torch.long))


class Bright(nn.Module):
    """Class 1 where the mean is above a threshold; counts the images that it is shown."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold, self.images = threshold, 0

    def forward(self, x: Tensor) -> Tensor:
        self.images += len(x)
        lead = x.flatten(1).mean(1, keepdim=True) - self.threshold
        return torch.cat([-lead, lead], 1)


def started(threshold: float, attempts: int, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(boundary_start, "ATTEMPTS", attempts)
    torch.manual_seed(0)
    model = PyTorchModel(Bright(threshold).eval(), (0, 1), device="cpu")
    samples = Samples(GREY.x, GREY.labels)
    return int(find_starts(model, samples, draws=4, noise_first=True, most=None).started.sum())


def test_failed_starts_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    once, twice = (started(0.56, attempts, monkeypatch) for attempts in (1, 2))
    assert 0 < once < twice < 30


@pytest.mark.parametrize("threshold", [0.51, 0.56, 0.9])
@pytest.mark.parametrize("start", ["nearest", "noise"])
@pytest.mark.parametrize("more", [0, 1, 60, 300])
def test_queries_are_never_exceeded(threshold: float, start: str, more: int) -> None:
    """One sample, so that every image shown is its own."""
    network, queries = Bright(threshold).eval(), cost_of_start(25) + 1 + more
    attack = build(Attack, f"l2-boundary:queries={queries},start={start}")
    model = PyTorchModel(network, (0, 1), device="cpu")
    torch.manual_seed(1)
    found = attack.craft(model, Samples(GREY.x[:1], GREY.labels[:1]), None)
    if found.failed:
        assert threshold == 0.9
        assert network.images <= queries
    else:
        assert network.images == queries  # the walk goes on until they are spent


def test_the_bill_agrees(cnn: nn.Module, images: Images) -> None:
    found = evaluate_model(cnn, images, "l2-boundary:queries=120", eps_range("0:9:3"))
    assert not found.record["failed"]
    attacked = found.samples["attacked"].groupby(found.samples["index"]).any().mean()
    assert found.record["cost"]["forwards"] <= 120 * attacked + 4  # verification and the like


def test_more_queries_come_nearer(cnn: nn.Module, images: Images) -> None:
    few, many = (
        evaluate_model(cnn, images, f"l2-boundary:queries={n}", eps_range("0:9:3"))
        .samples["distance"]
        .median()
        for n in (100, 500)
    )
    assert many < few


def test_too_few_queries_are_refused() -> None:
    with pytest.raises(UsageError, match=r"queries=50 is too few: .* type queries=90 or more"):
        build(Attack, "l2-boundary:queries=50")
    build(Attack, "l2-boundary:queries=70,draws=5")
