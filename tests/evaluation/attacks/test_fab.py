"""FAB: exact on linear networks, at home where gradients are flat, and patient if asked."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.algorithms.fab import FastAdaptiveBoundary, Leaping, doublings
from robustbench_cli.evaluation.attack import Attack, Samples
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.spec import build

RADII = {
    "linf": grid(["0.01,0.02,0.03,0.05,0.08"]),
    "l2": grid(["0.04,0.08,0.12,0.2,0.3"]),
    "l1": grid(["0.1,0.2,0.3,0.5"]),
}


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2), ("l1", float("inf"))])
def test_curve_of_a_linear_network(planes, norm: str, dual: float) -> None:
    """One leap arrives there, and the steps back come ever nearer to the boundary."""
    found = evaluate_model(planes.model, planes.images, f"{norm}-fab:steps=40", RADII[norm])
    right = [float((planes.distance(dual) > float(e)).double().mean()) for e in RADII[norm]]
    assert found.accuracy()["accuracy"].tolist() == pytest.approx(right, abs=1e-9)
    assert not found.record["rejected"]


@pytest.mark.parametrize("order", ["likeliest", "nearest"])
def test_there_must_be_another_class(order: str) -> None:
    alone = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    images = Images(torch.zeros(2, 1, 2, 2), torch.zeros(2, dtype=torch.long))
    with pytest.raises(UsageError, match="l2-fab needs 2 classes or more"):
        evaluate_model(alone, images, f"l2-fab:order={order}", grid(["1"]))


class Flat(nn.Module):
    """Class 0 leads by the fifth power of a mean, less a millionth; the slope is nearly nothing."""

    def forward(self, x: Tensor) -> Tensor:
        lead = x.flatten(1).mean(1) ** 5 - 1e-6
        return torch.stack([lead, -lead, lead - 99, lead - 99], 1)


def test_it_leaps_as_far_as_a_flat_gradient_says() -> None:
    """Newton's method: at first a fifth of the way to a mean of 0, then to where the lead ends."""
    grey = Images(torch.full((6, 1, 8, 8), 0.5), torch.zeros(6, dtype=torch.long))
    exact = 8 * (0.5 - 1e-6**0.2)  # as much in each of 64 pixels
    radii = grid([f"{0.99 * exact:.4f}", f"{1.01 * exact:.4f}"])
    found = evaluate_model(Flat(), grey, "l2-fab:targets=1", radii)
    assert found.accuracy()["accuracy"].tolist() == [1, 0]


def test_a_sample_leaves_as_soon_as_it_is_in_the_ball(planes) -> None:
    wide, narrow = (
        evaluate_model(planes.model, planes.images, "l2-fab:steps=20", grid([eps]))
        for eps in ("2", "0.00005")  # half of the way to the nearest sample's other class
    )
    assert wide.accuracy()["accuracy"][0] == 0 and narrow.accuracy()["accuracy"][0] == 1
    assert wide.record["cost"]["backwards"] <= 4
    assert narrow.record["cost"]["backwards"] == 3 * 19  # the last look needs no gradient


def test_patience_leaves_what_comes_no_nearer_and_nothing_else(planes) -> None:
    radii = grid(["0.12"])
    patient, plain = (
        evaluate_model(planes.model, planes.images, f"l2-fab:{more}", radii)
        for more in ("patience=3", "patience=none")
    )
    assert patient.correct().equals(plain.correct())
    assert 0 < patient.accuracy()["accuracy"][0] < 1
    assert patient.record["cost"]["backwards"] < plain.record["cost"]["backwards"] / 2


def test_the_pace_of_distances_decides() -> None:
    """At 20 of 100 steps: halved in the last ten, hardly nearer, standing still, none found yet."""
    attack = build(Attack, "l2-fab:steps=100,patience=1")
    assert isinstance(attack, FastAdaptiveBoundary)
    samples = Samples(torch.zeros(4, 1, 1, 1), torch.zeros(4, dtype=torch.long))
    now: Leaping = attack.begin(samples, samples.labels, 1.0)
    now.before = torch.tensor([40.0, 40.0, 40.0, torch.inf])
    now.nearest = torch.tensor([20.0, 39.0, 40.0, torch.inf])
    assert attack._hopeless(now, now.nearest, 20).tolist() == [False, True, True, False]
    assert attack._hopeless(now, now.nearest, 40)[3]
    assert doublings(100) == [5, 10, 20, 40, 80]
