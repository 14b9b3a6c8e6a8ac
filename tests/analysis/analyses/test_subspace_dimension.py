"""Dimensions in closed form: half spaces, alone and two with a known angle between them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from analysis.networks import halfspaces, images

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.analysis.analyses.subspace_dimension import SubspaceDimension
from robustbench_cli.data.dataset import Images

EPS = 2.0


def largest(eps: float, margin: float, length: float) -> int:
    """The largest k with eps · length / √k above the margin."""
    return math.ceil((eps * length / margin) ** 2) - 1


def placed(w: torch.Tensor, margins: list[float]) -> Images:
    """Images of class 1 with these margins, w · x, from the half space's boundary."""
    base = torch.rand(len(margins), 16, generator=torch.Generator().manual_seed(2))
    base = base + ((torch.tensor(margins) - base @ w) / float(w @ w))[:, None] * w
    return Images(base.view(-1, 1, 4, 4), torch.ones(len(margins), dtype=torch.long))


def test_the_l2_dimension_of_a_half_space_is_that_of_the_formula() -> None:
    w = torch.linspace(-1, 1.3, 16)
    margins = [0.9, 1.3, 2.1, 3.3, 99.0]
    test = placed(w, margins)
    found = analyse_model(
        halfspaces(w), test, SubspaceDimension(eps=EPS, images=5, most=16, random=0)
    )
    expected = [min(16, largest(EPS, m, float(w.norm()))) for m in margins]
    assert expected[-1] == 0 and len(set(expected)) > 3
    assert found.table["dimension"].tolist() == expected
    assert found.table["fooled"].tolist() == [k > 0 for k in expected]
    assert found["dimension"] == np.mean(expected) and math.isnan(found["random"])


def test_the_linf_dimension_where_all_weights_are_alike() -> None:
    w = 0.25 * torch.tensor([1.0, -1.0]).repeat(8)
    margins = [0.3, 0.9, 1.9, 9.0]  # 0.5 · 0.25 · 16 / √k = 2, 1, 0.5 for k = 1, 4, 16
    found = analyse_model(
        halfspaces(w), placed(w, margins), "subspace-dimension:norm=linf,eps=0.5,images=4,most=16"
    )
    assert found.table["dimension"].tolist() == [16, 4, 1, 0]


@pytest.mark.parametrize("degrees", [0.0, 30.0, 60.0, 90.0])
def test_two_half_spaces_share_what_their_angle_lets_them(degrees: float) -> None:
    a, b = torch.zeros(16), torch.zeros(16)
    a[3], b[5] = 1.0, 1.0
    angle = math.radians(degrees)
    test = Images((0.51 * (a + b)).view(1, 1, 4, 4), torch.ones(1, dtype=torch.long))
    theirs = math.cos(angle) * a + math.sin(angle) * b
    found = analyse_model(
        halfspaces(a),
        test,
        SubspaceDimension(eps=EPS, images=1, most=16, random=0, to="elsewhere"),
        other=halfspaces(theirs),
    )
    assert found["angle"] == pytest.approx(degrees, abs=1e-3)
    assert found["dimension"] == largest(EPS, 0.51, 1.0) == 15
    # a step of eps along -a changes the other's margin by -eps cos(angle)
    margin = 0.51 * (math.cos(angle) + math.sin(angle))
    assert found["transfer"] == float(EPS * math.cos(angle) > margin)
    assert found["shared"] == 15 if degrees == 0 else found["shared"] < 15


def test_the_share_of_random_directions_is_that_of_a_spherical_cap() -> None:
    from scipy.stats import beta

    w = torch.ones(16)
    margin, eps = 0.5 * 4, 2.0  # the boundary is at 0.5 of an L2 distance
    found = analyse_model(
        halfspaces(w),
        placed(w, [margin]),
        "subspace-dimension:eps=2,images=1,most=1,random=10000",
    )
    cap = 0.5 * beta(15 / 2, 1 / 2).cdf(1 - (0.5 / eps) ** 2)
    assert found["random"] == pytest.approx(cap, abs=0.02)


def test_pieces_do_not_change_what_is_found_where_nothing_is_random() -> None:
    w = torch.linspace(-1, 1.3, 16)
    test = images(halfspaces(w), 20)
    found = analyse_model(halfspaces(w), test, "subspace-dimension:eps=1,images=20,most=5")
    margins = np.abs((test.pixels.flatten(1) @ w).numpy())
    assert found.table["dimension"].tolist() == [
        min(5, largest(1, m, float(w.norm()))) for m in margins
    ]
