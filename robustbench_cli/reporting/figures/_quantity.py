"""The one number that a figure takes from a curve, and the epsilon at which it is taken."""

from __future__ import annotations

from collections.abc import Sequence

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.numbers.quantity import Quantity, taken
from robustbench_cli.reporting.numbers.summary import Curve, Estimate
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.cells import choose, in_255ths


def by_attack(
    curves: Sequence[Curve], selection: Selection, eps: str | None = None
) -> dict[tuple[str, str], tuple[Eps, list[Curve]]]:
    """Attack and view -> an epsilon, and the curves, of which some may lack it.

    The epsilon is `eps`, or the largest of the selection's, or one that most of the curves share.

    Raises:
        UsageError: no curve has `eps`, or nothing was attacked above 0.
    """
    known = sorted({each for curve in curves for each in curve.epsilons if each.value})
    wanted = {Eps.parse(eps)} if eps is not None else {e for e in selection.epsilons if e.value}
    if wanted and wanted.isdisjoint(known):
        listing = ", ".join(map(str, known)) or "none"
        raise UsageError(f"no run was attacked at eps {max(wanted)}; there are: {listing}")
    found = {}
    for key in dict.fromkeys((curve.attack, curve.view) for curve in curves):
        here = [curve for curve in curves if (curve.attack, curve.view) == key]
        counts: dict[Eps, int] = {}
        for each in sorted(each for curve in here for each in curve.epsilons if each.value):
            counts[each] = counts.get(each, 0) + 1
        fitting = [each for each in counts if not wanted or each in wanted]
        shared = [each for each in fitting if counts[each] == max(counts[e] for e in fitting)]
        if shared:
            at = shared[-1] if wanted else choose(shared, 1)[0]
            found[key] = at, here
    if not found:
        raise UsageError("no attack above eps 0; type: robustmix sweep-epsilon RUN")
    return found


def estimate(curve: Curve, quantity: Quantity, eps: Eps) -> Estimate | None:
    """In percent, but for the epsilon at half; None where the curve does not have it."""
    found = taken(curve, quantity, eps)
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
        "accuracy": f"accuracy at ε={eps} (%)",
        "clean": "clean accuracy (%)",
        "area": f"area under the curve, ε{until} (%)" if until else "area under the curve (%)",
        "half": f"ε at half accuracy{pixels}",
    }[quantity]
