"""Paired comparisons beside scipy's tests and their own promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as reference

from robustbench_cli.statistics.paired import mcnemar, paired_bootstrap


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
