"""Attacks that seek the nearest adversarial, against distances that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.evaluation.evaluate import evaluate_model

GRADIENT = [  # the worst median of the distance over the shortest there is
    ("linf-fmn:steps=60", "linf", 1.06),
    ("l2-fmn:steps=60", "l2", 1.02),
    ("l2-ddn:steps=60,first=0.1", "l2", 1.12),
    ("l2-cw:steps=60,searches=5,const=0.1", "l2", 1.1),
    ("l1-fmn:steps=60", "l1", 1.1),
    ("l1-ead:steps=60,searches=5,const=0.1", "l1", 1.1),
]
DECISION = [
    ("l2-hopskipjump:steps=8", "l2", 1.15),
    ("linf-hopskipjump:steps=8", "linf", 1.3),
]


@pytest.mark.parametrize(("spec", "norm", "worst"), GRADIENT + DECISION)
def test_distances_come_near_the_shortest(planes, spec: str, norm: str, worst: float) -> None:
    images = planes.images[:30]
    found = evaluate_model(planes.model, images, spec, grid(["9"]))
    dual = {"linf": 1.0, "l2": 2.0, "l1": torch.inf}[norm]
    distance = found.samples["distance"].to_numpy()
    assert (distance >= planes.resolved(dual)[:30].numpy()).all()
    assert np.median(distance / planes.distance(dual)[:30].numpy()) < worst
    assert not found.record["failed"] and not found.record["rejected"]


def test_l0_needs_few_values(planes) -> None:
    found = evaluate_model(planes.model, planes.images[:30], "l0-fmn:steps=60", grid(["2,16"]))
    distance = found.samples["distance"][:30]
    assert (distance == distance.round()).all() and distance.min() >= 1
    assert distance.median() <= 2
    assert found.accuracy()["accuracy"][1] == 0


CORRUPTIONS = ["l2-salt-and-pepper:steps=50", "l2-blur:steps=20", "l2-contrast"]


@pytest.mark.parametrize("spec", CORRUPTIONS)
def test_corruptions_measure_what_they_changed(spec: str) -> None:
    class Bright(nn.Module):
        """Class 1 where the brightest pixel is above 0.7, else 0."""

        def forward(self, x: Tensor) -> Tensor:
            lead = x.flatten(1).amax(1) - 0.7
            return torch.stack([-lead, lead], 1)

    x = torch.full((4, 1, 6, 6), 0.2)
    if "salt" not in spec:
        x[:, :, 2, 3] = 0.9
    bright = Images(x, Bright()(x).argmax(1))
    found = evaluate_model(Bright(), bright, spec, grid(["9"]))
    assert found.accuracy()["accuracy"][0] == 0
    distance = found.samples["distance"]
    if "salt" in spec:  # one pixel turned white is the least
        assert (distance >= 0.8 - 1e-6).all()
    if spec == "l2-contrast":  # halfway to grey, 0.9 has become 0.7
        assert distance.tolist() == pytest.approx([0.5 * float((x[0] - 0.5).norm())] * 4, rel=1e-2)
    assert found.record["cost"]["backwards"] == 0


def test_hopskipjump_lists_what_has_no_start() -> None:
    class Never(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor([1.0, 0.0]) + 0 * x.flatten(1).sum(1, keepdim=True)

    grey = Images(torch.full((3, 1, 4, 4), 0.5), torch.zeros(3, dtype=torch.long))
    found = evaluate_model(Never(), grey, "l2-hopskipjump:steps=1,draws=2", grid(["9"]))
    assert len(found.record["failed"]) == 3
    assert "no starting point" in found.record["failed"][0]["reason"]
