"""How many linear pieces a function has along a line, seen in where its slope jumps."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

import torch
from torch import Tensor

TOLERANCE = 1e-5
"""Of the steepest slope: what float32 may differ by within a piece."""
GROWTH = 1.25
"""Where a function bends everywhere, each halving doubles the jumps; kinks are only told apart."""


def count_pieces(
    slope: Callable[[Tensor], Tensor], low: float, high: float, points: int, halvings: int
) -> float:
    """Pieces between `low` and `high`; `slope` (m,) -> (m,), float64, m places at once.

    Where the slopes at two neighbours of a grid differ, the interval is halved, and again; what
    still differs in the end is a jump each. Two jumps closer than (high - low) / (points - 1) /
    2^halvings count as one. NaN where the last halving still found many more: the function bends
    everywhere, or has more pieces than can be told apart.
    """
    t = torch.linspace(low, high, points, dtype=torch.float64)
    s = slope(t)
    counts = [int(jumps(s).sum())]
    for _ in range(halvings):
        if not counts[-1]:
            break
        middle = ((t[1:] + t[:-1]) / 2)[jumps(s)]
        order = torch.cat([t, middle]).argsort()
        t, s = torch.cat([t, middle])[order], torch.cat([s, slope(middle)])[order]
        counts.append(int(jumps(s).sum()))
    grows = len(counts) > 1 and counts[-1] > GROWTH * counts[-2] + 1
    return nan if grows else 1.0 + counts[-1]


def jumps(s: Tensor) -> Tensor:
    """(m - 1,): whether each slope differs from the next."""
    return s.diff().abs() > TOLERANCE * s.abs().amax()
