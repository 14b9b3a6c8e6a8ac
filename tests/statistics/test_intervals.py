from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as reference

from robustbench_cli.statistics.intervals import (
    area,
    area_share,
    area_share_interval,
    eps_at,
    mcnemar,
    paired_bootstrap,
    t_interval,
    wilson,
)


@pytest.mark.parametrize(("right", "n"), [(0, 1), (0, 360), (9, 10), (931, 1000), (50, 50)])
def test_wilson_agrees_with_scipy(right: int, n: int) -> None:
    interval = reference.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_nothing_is_known_of_no_sample() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_wilson_covers_what_it_claims_near_zero() -> None:
    n, share = 200, 0.01
    chance = reference.binom.pmf(np.arange(n + 1), n, share)
    covered = [low <= share <= high for low, high in (wilson(k, n) for k in range(n + 1))]
    assert chance[covered].sum() > 0.9


def test_t_interval_agrees_with_scipy() -> None:
    values = [0.91, 0.93, 0.90, 0.94]
    expected = reference.t.interval(0.95, 3, np.mean(values), reference.sem(values))
    assert t_interval(values) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[], [0.9], [0.9, 0.8]])
def test_fewer_than_three_seeds_have_no_interval(values: list[float]) -> None:
    assert t_interval(values) is None


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


def test_bootstrap_of_a_paired_difference() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random(1000) < 0.6, rng.random(1000) < 0.5
    value, low, high = paired_bootstrap(first, second)
    half = 1.96 * np.std(first.astype(float) - second, ddof=1) / 1000**0.5
    assert value == pytest.approx(first.mean() - second.mean())
    assert (low, high) == pytest.approx((value - half, value + half), abs=0.003)


def test_bootstrap_is_repeatable() -> None:
    first, second = [1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]
    assert paired_bootstrap(first, second) == paired_bootstrap(first, second)
    assert paired_bootstrap(first, first) == (0.0, 0.0, 0.0)


def test_runs_that_scatter_widen_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(2000)
    calm, wild = ([hard < 0.6 + step for step in (-spread, 0, spread)] for spread in (0.002, 0.05))
    base = [hard < 0.5] * 3
    (one, low, high), (two, lower, higher) = (paired_bootstrap(s, base) for s in (calm, wild))
    assert one == pytest.approx(two, abs=0.01) and higher - lower > 2 * (high - low)
    student = reference.t.ppf(0.975, 4) * 0.05 / 3**0.5  # of the runs alone, which outweigh here
    assert higher - lower == pytest.approx(2 * student, rel=0.25)


def test_the_bootstrap_covers_what_it_claims() -> None:
    """Two methods, three runs each, 300 images that are hard for all or easy for all."""
    rng, hits = np.random.default_rng(0), 0
    for trial in range(100):
        hard = rng.random(300)
        sides = [
            [hard + 0.05 * rng.normal(size=300) < mean + 0.02 * rng.normal() for _ in range(3)]
            for mean in (0.6, 0.5)
        ]
        _, low, high = paired_bootstrap(*sides, draws=400, seed=trial)
        hits += low <= 0.1 <= high
    assert hits >= 92


def test_runs_of_both_sides_need_the_same_images() -> None:
    with pytest.raises(ValueError, match="same samples"):
        paired_bootstrap([[1, 0, 1]], [[1, 0]])


def test_mcnemar_agrees_with_the_binomial_test() -> None:
    first = np.repeat([1, 1, 0, 0], [50, 14, 4, 32])
    second = np.repeat([1, 0, 1, 0], [50, 14, 4, 32])
    assert mcnemar(first, second) == pytest.approx(reference.binomtest(4, 18).pvalue)
    assert mcnemar(first, first) == 1.0


def test_pairs_need_the_same_samples() -> None:
    with pytest.raises(ValueError, match="same samples"):
        mcnemar([1, 0], [1, 0, 1])
