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


def ratio_interval(
    above: Sequence[float], below: Sequence[float], confidence: float = 0.95
) -> tuple[float, float] | None:
    """For the ratio of two positive quantities, of their geometric means; None below three values.

    Welch's interval for the difference of the logarithms (Welch, Biometrika 1947): seconds scatter
    by shares of themselves, and the sides need not scatter alike.
    """
    if min(len(above), len(below)) < 3:
        return None
    logs = [np.log(np.asarray(side, float)) for side in (above, below)]
    shares = [float(np.var(side, ddof=1)) / len(side) for side in logs]
    middle, deviation = float(np.mean(logs[0]) - np.mean(logs[1])), sum(shares) ** 0.5
    if not deviation:
        return float(np.exp(middle)), float(np.exp(middle))
    parts = zip(shares, logs, strict=True)
    freedom = sum(shares) ** 2 / sum(share**2 / (len(side) - 1) for share, side in parts)
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * deviation
    return float(np.exp(middle - half)), float(np.exp(middle + half))
