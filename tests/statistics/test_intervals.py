"""Intervals beside scipy's own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as reference

from robustbench_cli.statistics.intervals import (
    difference_interval,
    near_chance,
    ratio_interval,
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


@pytest.mark.parametrize("confidence", [0.95, 0.995])
def test_the_interval_of_a_ratio_is_welchs_of_the_logarithms(confidence: float) -> None:
    above, below = [84.6, 83.1, 86.0, 84.9], [61.6, 60.9, 62.4]
    made = reference.ttest_ind(np.log(above), np.log(below), equal_var=False)
    expected = np.exp([*made.confidence_interval(confidence)])
    assert ratio_interval(above, below, confidence) == pytest.approx(tuple(expected))


def test_a_ratio_needs_three_values_each_and_may_be_exact() -> None:
    assert ratio_interval([1, 2, 3], [1, 2]) is None
    assert ratio_interval([3, 3, 3], [2, 2, 2]) == pytest.approx((1.5, 1.5))


@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_a_difference_of_means_has_welchs_interval(confidence: float) -> None:
    first, second = [0.44, 0.40, 0.47, 0.43], [0.31, 0.39, 0.35]
    expected = reference.ttest_ind(first, second, equal_var=False).confidence_interval(confidence)
    assert difference_interval(first, second, confidence) == pytest.approx(tuple(expected))
    assert difference_interval(first, second[:2]) is None
    assert difference_interval([3, 3, 3], [1, 1, 1]) == (2, 2)


@pytest.mark.parametrize(
    ("classes", "accuracy", "near"),
    [(2, 0.55, True), (2, 0.65, False), (3, 0.5, False), (10, 0.12, True), (100, 0.01, True)],
)
def test_near_chance_goes_by_the_number_of_classes(
    classes: int, accuracy: float, near: bool
) -> None:
    assert near_chance(round(400 * accuracy), 400, classes) is near
