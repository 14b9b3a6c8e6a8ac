"""Distances in float64, and clipping that float32 rounding does not undo."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from robustbench_cli.evaluation.verification.ball import Norm, distance, inside, into_ball


def test_distances_are_the_norms() -> None:
    x = torch.zeros(1, 1, 2, 2)
    moved = torch.tensor([[[[0.3, 0.0], [0.0, 0.4]]]])
    assert distance(x, moved, "linf").item() == pytest.approx(0.4)
    assert distance(x, moved, "l2").item() == pytest.approx(0.5)
    assert distance(x, moved, "l1").item() == pytest.approx(0.7)
    assert distance(x, moved, "l0").item() == 2
    assert distance(x, moved, "none").item() == 0
    assert {distance(x, moved, n).dtype for n in get_args(Norm)} == {torch.float64}


@pytest.mark.parametrize("norm", get_args(Norm))
def test_what_is_not_finite_has_no_distance(norm: Norm) -> None:
    images = torch.tensor([0.5, torch.nan]).reshape(2, 1, 1, 1).expand(2, 1, 2, 2)
    assert distance(torch.zeros(2, 1, 2, 2), images, norm).isfinite().tolist() == [True, False]


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("eps", [1e-9, 1e-5, 1 / 255, 0.1, 2.0])
def test_clipped_images_are_inside_even_where_eps_is_small(norm: Norm, eps: float) -> None:
    torch.manual_seed(0)
    x = torch.rand(50, 3, 8, 8)
    clipped = into_ball(x, x + torch.randn_like(x), eps, norm)
    assert inside(distance(x, clipped, norm), eps).all()
    assert clipped.min() >= 0 and clipped.max() <= 1
    rounding = 1e-4 if norm == "l1" else 1e-6  # below, float32 pixels cannot tell apart
    assert distance(x, clipped, norm).min() > 0.2 * eps or eps < rounding


def test_what_is_inside_stays() -> None:
    x = torch.rand(5, 1, 4, 4)
    assert torch.equal(into_ball(x, x.clone(), 0.1, "linf"), x)
    for norm in get_args(Norm):
        assert torch.equal(into_ball(x, x.clone(), 0.1, norm), x)


def test_l0_keeps_the_largest_changes() -> None:
    x = torch.full((2, 1, 2, 2), 0.5)
    moved = x + torch.tensor([0.1, -0.4, 0.3, 0.2]).reshape(2, 2)
    kept = into_ball(x, moved, 2.9, "l0")[0]  # no half values: 2.9 are 2
    assert kept.flatten().tolist() == pytest.approx([0.5, 0.1, 0.8, 0.5])
    each = into_ball(x, moved, torch.tensor([1.0, 9.0]).double(), "l0")
    assert distance(x, each, "l0").tolist() == [1, 4]


def test_no_norm_clips_to_the_pixels_alone() -> None:
    x = torch.full((1, 1, 1, 2), 0.5)
    assert into_ball(x, torch.tensor([[[[1.5, 0.0]]]]), 0.1, "none").flatten().tolist() == [1, 0]
