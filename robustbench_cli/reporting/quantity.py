"""The one number that a figure takes from a curve, and the epsilon at which it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError

from .numbers.summary import Curve, Estimate
from .selection import Selection
from .tables.cells import choose, in_255ths

Quantity = Literal["robust", "clean", "area", "half"]
"""Accuracy at an epsilon, or of unchanged images; area as a share; the epsilon at half."""


def one_epsilon(curves: Sequence[Curve], selection: Selection, given: str | None) -> Eps:
    """`given`, or the largest that was chosen, or one of those that most of `curves` share.

    Raises:
        UsageError: no curve has it, or there is none above 0.
    """
    known = sorted({eps for curve in curves for eps in curve.epsilons if eps.value})
    chosen = [eps for eps in selection.epsilons if eps in known]
    if given is not None:
        eps = Eps.parse(given)
        if eps not in known:
            listing = ", ".join(map(str, known)) or "none"
            raise UsageError(f"no curve has eps {given}; there are: {listing}")
        return next(e for e in known if e == eps)
    if chosen:
        return chosen[-1]
    if not known:
        raise UsageError("no attack above eps 0; type: robustmix sweep-epsilon RUN")
    counts = {eps: sum(eps in curve.epsilons for curve in curves) for eps in known}
    shared = [eps for eps in known if counts[eps] == max(counts.values())]
    return choose(shared, 1)[0]


def estimate(curve: Curve, quantity: Quantity, eps: Eps) -> Estimate | None:
    """In percent, but for the epsilon at half; None where the curve does not have it."""
    found = {
        "robust": lambda: curve.at(eps),
        "clean": lambda: curve.clean,
        "area": lambda: curve.share,
        "half": lambda: curve.half,
    }[quantity]()
    return found if found is None or quantity == "half" else in_percent(found)


def in_percent(share: Estimate) -> Estimate:
    low, high = (None if bound is None else 100 * bound for bound in (share.low, share.high))
    values = tuple(100 * value for value in share.values)
    return Estimate(100 * share.value, low, high, share.interval, values)


def described(quantity: Quantity, eps: Eps, curves: Sequence[Curve]) -> str:
    """What an axis of it says, with its unit."""
    reach = {curve.reach for curve in curves}
    until = f" 0–{max(reach)}" if len(reach) == 1 else ""
    pixels = "" if in_255ths([eps]) else ", pixels"
    return {
        "robust": f"accuracy at ε={eps} (%)",
        "clean": "clean accuracy (%)",
        "area": f"area under the curve, ε{until} (%)" if until else "area under the curve (%)",
        "half": f"ε at half accuracy{pixels}",
    }[quantity]
