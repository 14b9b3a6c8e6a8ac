"""Two networks on the same samples: the interval of their difference, and whether it is chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtri, stdtrit


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
