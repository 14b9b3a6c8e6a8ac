"""Attacks in L1, L0 and no norm: inside the ball, and right where the answer is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
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
