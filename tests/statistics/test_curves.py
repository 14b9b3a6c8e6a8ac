"""Areas and levels of decay curves beside hand-made ones."""

from __future__ import annotations

import numpy as np
import pytest

from robustbench_cli.statistics.curves import area, area_share, area_share_interval, eps_at
from robustbench_cli.statistics.intervals import wilson


def test_area_of_a_published_curve() -> None:
    """MadryLab/robustness, README: CIFAR-10, L2, trained with eps 0.5."""
    eps, accuracy = [0, 0.25, 0.5, 1, 2], [0.9083, 0.8234, 0.7017, 0.4047, 0.0523]
    assert 100 * area(eps, accuracy) == pytest.approx(91.22, abs=0.005)
    assert 100 * area_share(eps, accuracy) == pytest.approx(45.61, abs=0.005)


def test_the_interval_of_an_area_agrees_with_a_bootstrap_over_samples() -> None:
    rng = np.random.default_rng(0)
    eps, n = np.linspace(0, 0.5, 11), 400
    breaks = 0.2 * rng.lognormal(0, 0.5, n) * (rng.random(n) < 0.95)
    right = breaks[:, None] > eps  # what holds in a ball holds in every smaller one
    low, high = area_share_interval(eps.tolist(), right.mean(0).tolist(), n)
    own = np.array([area_share(eps.tolist(), row.tolist()) for row in right.astype(float)])
    means = own[rng.integers(n, size=(4000, n))].mean(1)
    assert (low, high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.003)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_interval_of_a_whole_or_empty_area_is_wilsons(share: float) -> None:
    assert area_share_interval([0, 0.1, 0.2], [share] * 3, 50) == wilson(50 * share, 50)


def test_area_of_a_rectangle_and_of_a_point() -> None:
    assert area([0, 0.1, 0.5], [0.6, 0.6, 0.6]) == pytest.approx(0.3)
    assert area_share([0, 0.1, 0.5], [0.6, 0.6, 0.6]) == pytest.approx(0.6)
    assert np.isnan(area_share([0], [0.6]))


@pytest.mark.parametrize(
    ("accuracy", "found"),
    [
        ([0.9, 0.8, 0.1], 0.15),  # between two points
        ([0.9, 0.45, 0.1], 0.1),  # at a point
        ([0.9, 0.4, 0.8], 0.09),  # the first time, where a curve rises again
        ([0.9, 0.8, 0.7], None),
        ([0.0, 0.0, 0.0], 0.0),  # a collapsed network
    ],
)
def test_epsilon_at_half_accuracy(accuracy: list[float], found: float | None) -> None:
    half = eps_at([0, 0.1, 0.2], accuracy, accuracy[0] / 2)
    assert half == (None if found is None else pytest.approx(found))
