"""How far a number may lie from the truth: a share of samples, and a mean over seeds.

scipy.special holds the same distributions as scipy.stats and loads in a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri, stdtrit


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


def near_chance(right: int, n: int, classes: int) -> bool:
    """Whether `right` of `n` may be of a network that hardly knows more than how many classes.

    Near: below half as much again as chance, or with few classes, where that is much, below an
    eighteenth of the way from chance to no mistake at all. Both are 15 % for ten classes; for two
    it is 52.8 %.
    """
    chance = 1 / classes
    return wilson(right, n)[0] <= min(1.5 * chance, chance + (1 - chance) / 18)


def half_width(share: float, n: int) -> float:
    """Half of Wilson's interval of a share of n samples."""
    low, high = wilson(share * n, n)
    return (high - low) / 2


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


def difference_interval(
    first: Sequence[float], second: Sequence[float], confidence: float = 0.95
) -> tuple[float, float] | None:
    """For the mean of `first` less that of `second`; None below three values on either side.

    Welch's interval (Biometrika 1947): the sides need not scatter alike.
    """
    sides = [np.asarray(side, float) for side in (first, second)]
    if min(map(len, sides)) < 3:
        return None
    shares = [float(np.var(side, ddof=1)) / len(side) for side in sides]
    middle, deviation = float(np.mean(sides[0]) - np.mean(sides[1])), sum(shares) ** 0.5
    if not deviation:
        return middle, middle
    parts = zip(shares, sides, strict=True)
    freedom = sum(shares) ** 2 / sum(share**2 / (len(side) - 1) for share, side in parts)
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * deviation
    return middle - half, middle + half


def ratio_interval(
    above: Sequence[float], below: Sequence[float], confidence: float = 0.95
) -> tuple[float, float] | None:
    """For the ratio of two positive quantities, of their geometric means; None below three values.

    The interval for the difference of their logarithms: seconds scatter by shares of themselves.
    """
    logs = [np.log(np.asarray(side, float)).tolist() for side in (above, below)]
    found = difference_interval(logs[0], logs[1], confidence)
    return None if found is None else (float(np.exp(found[0])), float(np.exp(found[1])))
