"""The nearest point of a plane in the box, against SciPy's general solvers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from torch import Tensor

from robustbench_cli.evaluation.algorithms.hyperplane import onto_plane
from robustbench_cli.evaluation.verification.ball import distance


def planes(n: int, d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images, some of them with pixels at the edge of the box; slopes; values that it can reach."""
    torch.manual_seed(0)
    x, slope = torch.rand(n, 1, 1, d), torch.randn(n, 1, 1, d)
    x[::2] = x[::2].round()
    corner = torch.where(slope > 0, 1.0, 0.0)
    reach = ((corner - x) * slope).flatten(1).sum(1)
    return x, slope, -reach * torch.linspace(0.05, 0.95, n)


def shortest(x: np.ndarray, slope: np.ndarray, value: float, norm: str) -> float:
    """Length of the shortest way from `x` to the plane."""
    d = len(x)
    if norm == "l2":
        found = minimize(
            lambda z: ((z - x) ** 2).sum(),
            x,
            jac=lambda z: 2 * (z - x),
            bounds=[(0, 1)] * d,
            constraints={
                "type": "eq",
                "fun": lambda z: value + slope @ (z - x),
                "jac": lambda z: slope,
            },
            options={"maxiter": 500, "ftol": 1e-14},
        )
        return float(np.sqrt(found.fun))
    # z, and the absolute changes (L1) or the largest of them (Linf)
    extra = d if norm == "l1" else 1
    bound = np.eye(d) if norm == "l1" else np.ones((d, 1))
    rows = np.block([[np.eye(d), -bound], [-np.eye(d), -bound]])
    found = linprog(
        np.r_[np.zeros(d), np.ones(extra)],
        A_ub=rows,
        b_ub=np.r_[x, -x],
        A_eq=np.r_[slope, np.zeros(extra)][None],
        b_eq=[slope @ x - value],
        bounds=[(0, 1)] * d + [(0, None)] * extra,
    )
    return float(found.fun)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_no_way_to_the_plane_is_shorter(norm: str) -> None:
    x, slope, value = planes(20, 12)
    found = onto_plane(x, slope, value, norm)  # type: ignore[arg-type]
    left = value + (slope * (found - x)).flatten(1).sum(1)
    assert left.abs().amax() < 1e-4 and (found >= 0).all() and (found <= 1).all()
    exact = [
        shortest(a.double().numpy(), b.double().numpy(), float(v), norm)
        for a, b, v in zip(x.flatten(1), slope.flatten(1), value, strict=True)
    ]
    ways = distance(x, found, norm).tolist()  # type: ignore[arg-type]
    assert ways == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_plane_out_of_reach_sends_everything_to_the_nearest_corner(norm: str) -> None:
    x, slope, value = planes(4, 5)
    found = onto_plane(x, slope, 100 * value, norm)  # type: ignore[arg-type]
    downhill = -slope * value.sign()[:, None, None, None]
    assert torch.equal(found, (downhill > 0).float())


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_without_a_slope_nothing_moves(norm: str) -> None:
    x, slope, value = planes(4, 5)
    found = onto_plane(x, torch.zeros_like(slope), value, norm)  # type: ignore[arg-type]
    assert torch.equal(found, x)
