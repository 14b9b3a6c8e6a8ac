"""A decay curve as a number: the area under it, and where it falls to a level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .intervals import wilson


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
