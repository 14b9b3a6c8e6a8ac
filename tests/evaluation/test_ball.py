"""Distances in float64, and clipping that float32 rounding does not undo."""

from __future__ import annotations

import pytest
import torch

from robustbench_cli.evaluation.ball import Norm, distance, inside, into_ball


def test_distances_are_the_norms() -> None:
    x = torch.zeros(1, 1, 2, 2)
    moved = torch.tensor([[[[0.3, 0.0], [0.0, 0.4]]]])
    assert distance(x, moved, "linf").item() == pytest.approx(0.4)
    assert distance(x, moved, "l2").item() == pytest.approx(0.5)
    assert distance(x, moved, "l2").dtype == torch.float64


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("eps", [1e-9, 1e-5, 1 / 255, 0.1, 2.0])
def test_clipped_images_are_inside_even_where_eps_is_small(norm: Norm, eps: float) -> None:
    torch.manual_seed(0)
    x = torch.rand(50, 3, 8, 8)
    clipped = into_ball(x, x + torch.randn_like(x), eps, norm)
    assert inside(distance(x, clipped, norm), eps).all()
    assert clipped.min() >= 0 and clipped.max() <= 1
    assert distance(x, clipped, norm).min() > 0.2 * eps or eps < 1e-6


def test_what_is_inside_stays() -> None:
    x = torch.rand(5, 1, 4, 4)
    assert torch.equal(into_ball(x, x.clone(), 0.1, "linf"), x)
    assert torch.equal(into_ball(x, x.clone(), 0.1, "l2"), x)
