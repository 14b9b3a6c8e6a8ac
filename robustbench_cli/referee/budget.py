"""How many images and how strong attacks a budget allows."""

from __future__ import annotations

from collections.abc import Callable

from robustbench_cli.errors import UsageError

from .protocol import FULL, LEVELS, Level

Cost = Callable[[Level, int], float]
"""Seconds for a level on so many images; rising with the images."""


def choose(
    cost: Cost, of: int, *, samples: int | None = None, seconds: float | None = None
) -> tuple[Level, int]:
    """The strongest level, and as many of `of` images as can be had for `seconds`.

    A level is left for the next as soon as its most images can be had, and the next begins with as
    many: of two budgets the larger one never has fewer images, nor weaker attacks. `samples` fixes
    the images; without `seconds` everything is done.

    Raises:
        UsageError: not even the least can be had; says what it costs.
    """
    if seconds is None:
        return FULL, min(samples or of, of)
    found = None
    for level in LEVELS:
        low = min(samples or level.fewest, of)
        high = min(samples or level.most or of, of)
        n = _most(lambda n, level=level: cost(level, n) <= seconds, low, high)  # type: ignore[misc]
        if n is None:
            break
        found = level, n
        if n < high:
            break
    if found is None:
        least = cost(LEVELS[0], min(samples or LEVELS[0].fewest, of))
        raise UsageError(
            f"--minutes {seconds / 60:g} is too little here: {LEVELS[0].name} attacks on "
            f"{min(samples or LEVELS[0].fewest, of)} images take about {least / 60:.2g} minutes; "
            f"type --minutes {_up(least / 60):g}, or choose fewer norms"
        )
    return found


def _most(fits: Callable[[int], bool], low: int, high: int) -> int | None:
    """The largest round number from `low` to `high` that fits; None if `low` does not."""
    if not fits(low):
        return None
    if fits(high):
        return high
    below, above = low, high
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if fits(middle) else (below, middle)
    return max(low, _rounded(below))


def _rounded(n: int) -> int:
    """Down to two digits: a budget is no reason for 1,237 images."""
    spare = max(0, len(str(n)) - 2)
    return int(str(n)[:2] + "0" * spare)


def _up(minutes: float) -> float:
    """A number to type, a little above."""
    return float(-(-minutes * 1.1 // 1)) if minutes > 1 else float(-(-minutes * 11 // 1) / 10)
