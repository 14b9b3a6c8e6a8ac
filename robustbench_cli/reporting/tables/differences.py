"""The sections of a table that say how much a group differs from its baseline."""

from __future__ import annotations

from itertools import groupby

from robustbench_cli.reporting.formats.table import WIDTH, Section
from robustbench_cli.reporting.numbers.compare import Comparison
from robustbench_cli.reporting.selection import Selection

from .cells import NORMS, choose, digits_for, points


def differences(selection: Selection) -> list[Section]:
    """One for each attack and baseline, with as many epsilons as fit a screen."""
    found = []
    by = groupby(selection.comparisons, key=lambda c: (c.curve.attack, c.baseline.label))
    for (_, against), alike in by:
        listed = list(alike)
        for most in (len(selection.epsilons) or 3, 2, 1):
            section = _section(selection, listed, against, most)
            if section.width <= WIDTH:
                break
        found.append(section)
    return found


def _section(selection: Selection, listed: list[Comparison], against: str, most: int) -> Section:
    curve = listed[0].curve
    digits = digits_for(min(found.curve.n for found in listed))
    known = sorted({eps for found in listed for eps in found.at})
    columns = {
        selection.by.replace("_", "-"): [found.curve.label for found in listed],
        "clean": [points(found.at.get(known[0]) if known else None, digits) for found in listed],
    }
    for eps in choose(known, most):
        columns[f"ε={eps}"] = [points(found.at.get(eps), digits) for found in listed]
    if any(found.area for found in listed):
        columns["area"] = [points(found.area, digits) for found in listed]
    norm = NORMS.get(curve.norm, curve.norm)
    return Section(
        title=f"{curve.attack}, {norm}: difference to {against}, points",
        header=tuple(columns),
        rows=tuple(zip(*columns.values(), strict=True)),
    )
