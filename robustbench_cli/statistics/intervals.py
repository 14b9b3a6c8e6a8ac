"""Intervals and summaries; every number a report prints comes from here.

scipy.special holds the same distributions as scipy.stats and loads in a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtri, stdtrit


def wilson(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a share (Wilson, JASA 1927).

    Near 0 and 1 it covers what it claims, where the textbook interval does not. `n` need not be
    whole: a mean of numbers in [0, 1] that scatter less than zeros and ones counts for more.
    """
    if n == 0:
        return 0.0, 1.0
    z = float(ndtri((1 + confidence) / 2))
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * ((share * (1 - share) + z**2 / (4 * n)) / n) ** 0.5
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def t_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Student's interval for the mean over seeds; None below three values.

    Two values give one degree of freedom and an interval too wide to say anything.
    """
    n = len(values)
    if n < 3:
        return None
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * deviation / n**0.5
    return mean - half, mean + half


def area(eps: Sequence[float], accuracy: Sequence[float]) -> float:
    """Area under a decay curve by the trapezoid rule, in accuracy (0..1) times pixels.

    `eps` ascends; the range is from its first to its last value.
    """
    x, y = np.asarray(eps, float), np.asarray(accuracy, float)
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def area_share(eps: Sequence[float], accuracy: Sequence[float]) -> float:
    """The area as a share of the whole range: the mean accuracy over it. NaN for one point."""
    width = eps[-1] - eps[0]
    return area(eps, accuracy) / width if width > 0 else float("nan")


def area_share_interval(
    eps: Sequence[float], accuracy: Sequence[float], n: int, confidence: float = 0.95
) -> tuple[float, float]:
    """For the area share of one network's curve over `n` samples: test sampling only.

    A sample adds its own area, and the variance of that follows from the curve, because what is
    right in a ball is right in every smaller one. Where a raw curve breaks that rule the interval
    is too wide, never too narrow. Wilson's, for as many samples as the variance is worth.
    """
    share = area_share(eps, accuracy)
    x, right = np.asarray(eps, float), np.asarray(accuracy, float)
    steps = np.diff(x, prepend=x[0]) + np.diff(x, append=x[-1])
    weight = steps / 2 / (x[-1] - x[0])
    both = np.minimum.outer(right, right) - np.outer(right, right)
    variance = float(weight @ both @ weight)
    worth = n * share * (1 - share) / variance if variance > 0 else n
    return wilson(share * worth, worth, confidence)


def eps_at(eps: Sequence[float], accuracy: Sequence[float], level: float) -> float | None:
    """Where a decay curve first falls to `level`, linear between grid points; None if never.

    The epsilon at half accuracy is this at half of the *clean* accuracy, so that networks that
    start at different heights can be compared.
    """
    for i, (x, y) in enumerate(zip(eps, accuracy, strict=True)):
        if y <= level:
            if i == 0:
                return float(x)
            before, above = eps[i - 1], accuracy[i - 1]
            return float(before + (x - before) * (above - level) / (above - y))
    return None


def paired_bootstrap(
    first: ArrayLike,
    second: ArrayLike,
    *,
    confidence: float = 0.95,
    draws: int = 4000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Difference of two accuracies on the same samples, `first` minus `second`: value, low, high.

    Each is (n,), one number for each sample, or (runs, n); the runs need not be as many. Percentile
    interval. Samples are redrawn for both together, and where a side has several runs, so are they.
    Few runs scatter less when redrawn than their like would, so that part of the deviation is
    stretched: by sqrt(runs / (runs - 1)), and by Student's quantile over the normal one.
    """
    sides = [np.atleast_2d(np.asarray(side, np.float64)) for side in (first, second)]
    n = sides[0].shape[1]
    if any(side.ndim != 2 or side.shape[1] != n or not side.size for side in sides):
        raise ValueError(f"expected the same samples; got {sides[0].shape}, {sides[1].shape}")
    rng = np.random.default_rng(seed)
    columns, counts = np.unique(np.vstack(sides), axis=1, return_counts=True)
    parts = [
        rng.multinomial(n, counts / n, size=min(500, draws - start)) @ columns.T / n
        for start in range(0, draws, 500)
    ]
    means = np.vstack(parts)  # (draws, runs of both), each over the redrawn samples
    freedom = sum(len(side) for side in sides) - 2
    student = float(stdtrit(freedom, (1 + confidence) / 2)) if freedom else 0.0
    tails = student / float(ndtri((1 + confidence) / 2))
    cut = len(sides[0])
    redrawn = _redrawn(means[:, :cut], tails, rng) - _redrawn(means[:, cut:], tails, rng)
    low, high = np.quantile(redrawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(sides[0].mean() - sides[1].mean()), float(low), float(high)


def _redrawn(
    means: NDArray[np.float64], tails: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(draws, runs) -> (draws,): the mean over as many redrawn runs, its deviation stretched."""
    runs, centre = means.shape[1], np.asarray(means.mean(1), np.float64)
    if runs == 1:
        return centre
    chosen = rng.integers(runs, size=means.shape)
    moved = np.take_along_axis(means, chosen, axis=1).mean(1) - centre
    return np.asarray(centre + moved * (runs / (runs - 1)) ** 0.5 * tails)


def mcnemar(first: ArrayLike, second: ArrayLike) -> float:
    """Exact two-sided p value that two networks err equally often on the same samples.

    Both are (n,) right or wrong. Only samples on which they disagree count (McNemar 1947).
    """
    difference = _paired(first, second)
    won, lost = int((difference > 0).sum()), int((difference < 0).sum())
    return min(1.0, 2 * float(bdtr(min(won, lost), won + lost, 0.5)))


def _paired(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ValueError(f"expected two vectors over the same samples; got {a.shape}, {b.shape}")
    return np.subtract(a, b, dtype=np.float64)
