"""The section of a table that says how often a targeted attack reaches the class aimed at."""

from __future__ import annotations

from collections.abc import Sequence

from robustbench_cli.epsilon import Eps
from robustbench_cli.reporting.formats.table import Section
from robustbench_cli.reporting.numbers.summary import Curve

from .cells import digits_for, percent

EXPLAINED = "at target: of all images of other classes, those taken for the class aimed at."


def targets(by: str, curves: Sequence[Curve], shown: Sequence[Eps], title: str) -> Section:
    """Beside the accuracies at the same epsilons; curves of one attack."""
    digits = digits_for(min(curve.aimed or curve.n for curve in curves))
    columns: dict[str, list[str]] = {by.replace("_", "-"): [curve.label for curve in curves]}
    for eps in (curves[0].epsilons[0], *shown):
        columns[f"ε={eps}" if eps.value else "clean"] = [
            percent(dict(zip(curve.epsilons, curve.at_target, strict=False)).get(eps), digits)
            for curve in curves
        ]
    return Section(
        title=f"{title}: at target",
        header=tuple(columns),
        rows=tuple(zip(*columns.values(), strict=True)),
    )
