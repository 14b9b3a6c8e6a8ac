"""The numbers behind the tables for other programs: rows for CSV, one document for JSON.

Base units: accuracies in 0..1, epsilons in pixels of [0, 1] as text and as numbers; absent is null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import isnan
from typing import Any

import pandas as pd

from robustbench_cli.reporting.numbers.compare import Comparison, Difference
from robustbench_cli.reporting.numbers.summary import Curve, Estimate
from robustbench_cli.reporting.numbers.transfers import Cell
from robustbench_cli.reporting.numbers.unions import Jointly
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.trust.examine import entries, level_of

FORMAT = 1
_TARGET = ("at_target", "at_target_low", "at_target_high", "aimed")
_ABOUT = ("label", "data", "model", "method", "attack", "norm", "view")


def accuracy_frame(selection: Selection) -> pd.DataFrame:
    """One row per group, attack and epsilon; what belongs to the whole curve is repeated."""
    rows: list[dict[str, Any]] = []
    for curve in selection.curves:
        whole = summary_row(curve)
        about = {key: whole.pop(key) for key in _ABOUT}
        interval = whole.pop("interval")
        level = level_of(selection.findings, curve.runs, curve.defence, curve.view)
        for point in _points(selection, curve):
            row = {**about, **point, "interval": interval, **whole, "checks": level}
            rows.append(row | _against(selection, curve, point["eps"]))
    return pd.DataFrame(rows).drop(columns="values", errors="ignore")


def accuracy_document(selection: Selection) -> dict[str, Any]:
    """``curves[].points[]`` with eps, eps_value, accuracy, low, high, n; and ``rows[]``."""
    curves = [
        {
            **{key: getattr(curve, key) for key in _ABOUT},
            "runs": list(curve.runs),
            "seeds": list(curve.seeds),
            "interval": curve.interval,
            "points": _points(selection, curve),
        }
        for curve in selection.curves
    ]
    rows = [summary_row(curve) for curve in selection.curves]
    document: dict[str, Any] = {"format": FORMAT, "curves": curves, "rows": rows}
    if selection.against:
        document["differences"] = [_difference(found) for found in selection.comparisons]
    document |= union_document(selection.joined)
    return document | entries(selection.findings, selection.runs)


def _against(selection: Selection, curve: Curve, eps: str) -> dict[str, Any]:
    """The difference to the baseline at one epsilon, for CSV."""
    for found in selection.comparisons:
        if found.curve is curve:
            at = {e.text: difference for e, difference in found.at.items()}
            return {
                f"difference_{key}".removesuffix("_value"): value
                for key, value in (_numbers(at[eps]) if eps in at else {}).items()
            }
    return {}


def _difference(found: Comparison) -> dict[str, Any]:
    points = [
        {"eps": eps.text, "eps_value": float(eps), **_numbers(difference)}
        for eps, difference in found.at.items()
    ]
    about = {key: getattr(found.curve, key) for key in _ABOUT}
    area = None if found.area is None else _numbers(found.area)
    return {**about, "against": found.baseline.label, "points": points, "area_share": area}


def _numbers(difference: Difference) -> dict[str, Any]:
    return {
        **{key: rounded(getattr(difference, key)) for key in ("value", "low", "high", "p")},
        "n": difference.n,
    }


def summary_row(curve: Curve) -> dict[str, Any]:
    """One group under one attack: clean, area (accuracy times pixels and share), eps at half."""
    return {
        **{key: getattr(curve, key) for key in _ABOUT},
        "runs": len(curve.runs),
        "interval": curve.interval,
        **_spread("clean", curve.clean),
        **_spread("area", curve.area),
        **_spread("area_share", curve.share),
        "area_to": curve.reach.text,
        **_spread("eps_at_half", curve.half),
        "eps_at_half_reached": curve.half_reached if curve.half else None,
    }


def union_document(found: Sequence[Jointly]) -> dict[str, Any]:
    """``unions[]``: accuracy under each union over norms, apart from all curves; of each ball the
    images that it alone breaks, and those that `several` break, run by run.
    """
    listed = [_jointly(each) for each in found]
    return {"unions": listed} if listed else {}


def _jointly(each: Jointly) -> dict[str, Any]:
    parts = zip(each.union.balls, each.members[0].parts, strict=True)
    balls = [
        {
            **{"attack": part.attack, "norm": part.norm},
            **{"eps": ball.eps.text, "eps_value": float(ball.eps)},
            "alone": [member.alone[i] for member in each.members],
        }
        for i, (ball, part) in enumerate(parts)
    ]
    accuracy = _spread("accuracy", each.accuracy)
    return {
        **{"label": each.label, "union": str(each.union), "view": each.view},
        "runs": list(each.runs),
        **_spread("clean", each.clean),
        "accuracy": accuracy["accuracy"],
        **{key: accuracy[f"accuracy_{key}"] for key in ("low", "high")},
        "interval": each.accuracy.interval,
        "n": each.n,
        "balls": balls,
        "several": [member.several for member in each.members],
    }


def transfer_document(cells: list[Cell]) -> dict[str, Any]:
    """``transfers[]``: one entry per source group, target group, attack and epsilon."""
    return {"format": FORMAT, "transfers": [_cell(cell) for cell in cells]}


def transfer_frame(cells: list[Cell]) -> pd.DataFrame:
    return pd.DataFrame([_cell(cell) for cell in cells])


def _points(selection: Selection, curve: Curve) -> list[dict[str, Any]]:
    """`values`, one for each run, only where there are several; at_target of targeted attacks."""
    points: list[dict[str, Any]] = []
    for i in selection.shown(curve):
        eps, estimate = curve.epsilons[i], curve.accuracy[i]
        point: dict[str, Any] = {
            "eps": eps.text,
            "eps_value": float(eps),
            **_spread("accuracy", estimate),
        }
        point["low"], point["high"] = point.pop("accuracy_low"), point.pop("accuracy_high")
        point["n"], _ = curve.images[i]
        if len(estimate.values) > 1:
            point["values"] = [rounded(value) for value in estimate.values]
        if curve.at_target:
            point |= {**_spread("at_target", curve.at_target[i]), "aimed": curve.aimed}
        points.append(point)
    return points


def _spread(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    numbers = (estimate.value, estimate.low, estimate.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), map(rounded, numbers), strict=True))


def _cell(cell: Cell) -> dict[str, Any]:
    entry = asdict(cell)
    del entry["eps"]
    head = {key: entry.pop(key) for key in ("attack", "norm", "source", "target", "white_box")}
    eps = {"eps": cell.eps.text, "eps_value": float(cell.eps)}
    if not cell.aimed:
        entry = {key: value for key, value in entry.items() if key not in _TARGET}
    numbers = {k: rounded(v) if isinstance(v, float) else v for k, v in entry.items()}
    return {**head, **eps, **numbers}


def rounded(value: float | None) -> float | None:
    """To a millionth, which no test set resolves; NaN becomes null."""
    return None if value is None or isnan(value) else round(value, 6)
