"""Exact epsilons: a rational value that keeps the spelling it was given, and ranges of them.

Epsilons are in pixels of [0, 1]. ``8/255`` and ``0:0.5:0.025`` never pass through binary floats,
so a range contains both of its ends and two spellings of one value are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import total_ordering

from .errors import UsageError
from .spec import number

_MOST = 1001


@total_ordering
@dataclass(frozen=True)
class Eps:
    """A perturbation budget; equal and ordered by value, printed as it was written."""

    value: Fraction
    text: str = field(compare=False)

    @classmethod
    def parse(cls, text: str) -> Eps:
        value = number(text)
        if value < 0:
            raise UsageError(f"epsilon {text} is negative; expected 0 or more, such as 8/255")
        return cls(value, text.strip())

    def __float__(self) -> float:
        return float(self.value)

    def __lt__(self, other: Eps) -> bool:
        return self.value < other.value

    def __str__(self) -> str:
        return self.text


def eps_range(text: str) -> tuple[Eps, ...]:
    """``START:STOP:STEP`` with both ends: ``0:16/255:1/255`` has 17 values.

    Raises:
        UsageError: not three numbers, a step that is not positive or does not lead from START to
            STOP exactly, or more than a thousand steps (a slip of the keyboard).
    """
    parts = text.split(":")
    if len(parts) != 3:
        raise UsageError(f"{text!r} is no range; write START:STOP:STEP, such as 0:0.5:0.025")
    start, stop, step = (number(part) for part in parts)
    if start < 0 or step <= 0 or stop < start:
        raise UsageError(f"{text}: a range needs 0 <= START <= STOP and STEP > 0")
    steps = (stop - start) / step
    if steps.denominator != 1:
        whole = steps.numerator // steps.denominator
        raise UsageError(
            f"{text}: STEP does not lead from START to STOP; "
            f"stop at {spell(start + whole * step)} or {spell(start + (whole + 1) * step)}"
        )
    if steps >= _MOST:
        raise UsageError(f"{text} has {steps + 1} values; expected at most {_MOST}")
    denominator = max((int(p.partition("/")[2] or 0) for p in parts), default=0)
    values = [start + i * step for i in range(int(steps) + 1)]
    return tuple(Eps.parse(spell(v, denominator)) for v in values)


def spell(value: Fraction, denominator: int = 0) -> str:
    """``k/denominator`` where one was used and fits, else a decimal, else a fraction."""
    if value == 0:
        return "0"
    if denominator and (value * denominator).denominator == 1:
        return f"{value * denominator}/{denominator}"
    digits = next((n for n in range(31) if (value * 10**n).denominator == 1), None)
    if digits is not None:  # whole numbers only: a float would drift
        whole, part = divmod(int(value * 10**digits), 10**digits)
        return f"{whole}.{part:0{digits}}" if digits else str(whole)
    return f"{value * 255}/255" if (value * 255).denominator == 1 else str(value)


def grid(listed: Iterable[str] = (), ranges: Iterable[str] = ()) -> tuple[Eps, ...]:
    """Every epsilon of ``8/255,0.1`` lists and ranges: sorted, without duplicates."""
    found = []
    for text in listed:
        parts = text.strip().removesuffix(",").split(",")
        if not all(part.strip() for part in parts):  # "$EPS" of a script that forgot to set it
            raise UsageError(f"{text!r} lacks an epsilon; write them like 8/255,0.1")
        found += [Eps.parse(part) for part in parts]
    found += [eps for text in ranges for eps in eps_range(text)]
    return tuple(sorted({eps.value: eps for eps in reversed(found)}.values()))
