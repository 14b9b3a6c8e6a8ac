"""Attacks in L1, L0 and no norm: inside the ball, and right where the answer is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.evaluation.algorithms.l1_box import onto_l1_box
from robustbench_cli.evaluation.evaluate import evaluate_model


@pytest.mark.parametrize("spec", ["l1-pgd:steps=40,quantile=0.95", "l1-fgm"])
def test_l1_curve_of_a_linear_network(linear, spec: str) -> None:
    """The best L1 move is to change a single pixel."""
    radii = grid(["0.05,0.1,0.2,0.4"])
    found = evaluate_model(linear.model, linear.images, spec, radii)
    weight = linear.model[1].weight[1].double()
    nearest = linear.l2 * weight.norm() / weight.abs().max()
    right = [float((linear.right & (nearest > float(e))).double().mean()) for e in radii]
    accuracy = found.accuracy()["accuracy"].to_numpy()
    assert (accuracy >= torch.tensor(right).numpy() - 1e-6).all()
    assert not found.record["rejected"]
    if spec != "l1-fgm":
        assert accuracy.tolist() == pytest.approx(right, abs=0.06)


def test_spatial_turns_and_shifts() -> None:
    class Left(nn.Module):
        """Class 0 where the left half is brighter."""

        def forward(self, x: Tensor) -> Tensor:
            halves = x.flatten(2)[:, 0].reshape(len(x), 8, 2, 4).sum((1, 3))
            return halves

    x = torch.zeros(4, 1, 8, 8)
    x[:, :, 2:6, 2:3] = 1.0  # two columns from the middle
    bars = Images(x, torch.zeros(4, dtype=torch.long))
    shift = "spatial:rotation=0,translation=4,shifts=3,angles=2"
    found = evaluate_model(Left(), bars, shift, grid(["0.2,1"]))
    assert found.accuracy()["accuracy"].tolist() == [1, 0]
    assert (found.samples["distance"][4:] == 0).all()
    assert not found.record["rejected"] and found.norm == "none"


def test_noise_in_l2_has_the_length_it_says(cnn: nn.Module, images: Images) -> None:
    found = evaluate_model(cnn, images, "l2-noise:draws=5", grid(["2"]))
    distance = found.samples["distance"].dropna()
    assert len(distance) and distance.to_numpy() == pytest.approx(2, rel=1e-3)


@dataclass(frozen=True)
class Far:
    """A plane so far from the images that several pixels must go to the end of their range."""

    model: nn.Module
    images: Images
    l1: Tensor  # (n,), exact inside the box: the heaviest pixels first, each as far as it goes
    l0: Tensor  # (n,), how many pixels must change: those first whose change takes off most


@pytest.fixture(scope="module")
def far() -> Far:
    torch.manual_seed(4)
    n, w = 40, (2 * torch.randint(2, (36,)) - 1) * (0.5 + torch.rand(36))
    x = 0.5 + 0.2 * (2 * torch.rand(n, 1) - 1) * w.sign() + 0.1 * (2 * torch.rand(n, 36) - 1)
    layer = nn.Linear(36, 2)
    layer.weight = nn.Parameter(torch.stack([-w, w]))
    layer.bias = nn.Parameter(torch.stack([w.sum(), -w.sum()]) / 2)
    lead = 2 * ((x.double() - 0.5) @ w.double())
    fall = 2 * lead.sign()[:, None] * w.double()  # of the label's lead, as a pixel falls
    room = torch.where(fall > 0, x.double(), 1 - x.double())
    leads, falls = lead.abs().tolist(), fall.abs()
    l1, l0 = (
        torch.tensor([_greedy(*each, count=count) for each in zip(leads, falls, room, strict=True)])
        for count in (False, True)
    )
    network = nn.Sequential(nn.Flatten(), layer)
    images = Images(x.reshape(n, 1, 6, 6), (lead > 0).long())
    return Far(network, images, l1, l0)


def _greedy(margin: float, fall: Tensor, room: Tensor, *, count: bool) -> float:
    """What it takes to spend `margin`, pixel by pixel: distance, or how many."""
    spent, order = 0.0, fall * room if count else fall
    for i in order.argsort(descending=True).tolist():
        share = min(margin / float(fall[i] * room[i]), 1)
        spent += 1 if count else share * float(room[i])
        if share < 1:
            break
        margin -= float(fall[i] * room[i])
    return spent


def test_the_nearest_point_of_ball_and_box_at_once() -> None:
    """No other point of both is nearer: the condition of a projection onto a convex set."""
    torch.manual_seed(0)
    x, images = torch.rand(30, 1, 3, 3).double(), torch.rand(30, 1, 3, 3).double() * 3 - 1
    x[:10] = x[:10].round()
    found = onto_l1_box(x, images, 0.7)
    assert ((found - x).abs().flatten(1).sum(1) <= 0.7 + 1e-12).all()
    assert found.min() >= 0 and found.max() <= 1
    for _ in range(50):
        other = onto_l1_box(x, x + torch.randn_like(x), 0.7)
        assert ((images - found) * (other - found)).flatten(1).sum(1).max() <= 1e-9
    inside = x + 0.01 * (0.5 - x)
    assert torch.equal(onto_l1_box(x, inside, 0.7), inside)


@pytest.mark.parametrize("spec", ["l1-apgd-ce", "worst-case:l1,steps=60,queries=40"])
def test_l1_in_the_box_of_a_linear_network(far: Far, spec: str) -> None:
    radii = grid(["0.7,2"])
    found = evaluate_model(far.model, far.images, spec, radii, audit=0)
    exact = [float((far.l1 > float(e)).double().mean()) for e in radii]
    accuracy = found.accuracy()["accuracy"]
    assert (accuracy >= np.array(exact) - 1e-9).all()
    assert accuracy.tolist() == pytest.approx(exact, abs=0.051)
    assert not found.record["rejected"]


def test_l1_targets_of_a_linear_network(planes) -> None:
    radii = grid(["0.1,0.2"])
    spec = "l1-apgd-t:steps=30,targets=1,order=nearest"
    found = evaluate_model(planes.model, planes.images, spec, radii, audit=0)
    right = [float((planes.distance(float("inf")) > float(e)).double().mean()) for e in radii]
    assert found.accuracy()["accuracy"].tolist() == pytest.approx(right, abs=0.034)


@pytest.mark.parametrize("spec", ["l0-sigma-zero", "worst-case:l0,steps=60"])
def test_l0_of_a_linear_network(far: Far, spec: str) -> None:
    """Never fewer values than must change, and rarely more."""
    radii = grid(["2,4,7"])
    found = evaluate_model(far.model, far.images, spec, radii, audit=0)
    exact = [float((far.l0 > float(e)).double().mean()) for e in radii]
    accuracy = found.accuracy()["accuracy"]
    assert (accuracy >= np.array(exact) - 1e-9).all()
    assert accuracy.tolist() == pytest.approx(exact, abs=0.101)
    assert not found.record["rejected"]
