"""The accuracy table: a section for each attack, a row for each group, columns that fit a screen.

What is the same in all rows stands once in the caption.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from robustbench_cli.epsilon import Eps
from robustbench_cli.reporting.formats.document import accuracy_document, accuracy_frame
from robustbench_cli.reporting.formats.table import WIDTH, Section, Table
from robustbench_cli.reporting.numbers.paths import short_paths
from robustbench_cli.reporting.numbers.summary import Curve
from robustbench_cli.reporting.selection import Selection

from .cells import (
    INTERVALS,
    NORMS,
    SMOOTHED,
    area,
    choose,
    digits_for,
    half,
    listing,
    percent,
    sparkline,
    units,
    view_text,
)
from .differences import differences
from .targets import EXPLAINED, targets
from .unions import UNIONS_EXPLAINED, union_sections


def accuracy_table(selection: Selection) -> Table:
    """Clean accuracy, accuracy at epsilons, area and epsilon at half, over seeds."""
    curves = selection.curves
    sections = [
        section
        for norm in dict.fromkeys(curve.norm for curve in curves)
        for section in _norm(selection, [c for c in curves if c.norm == norm])
    ]
    return Table(
        caption=_caption(curves),
        sections=(
            *sections,
            *union_sections(selection.joined, selection.by),
            *differences(selection),
        ),
        footer=(*_footer(selection), *selection.verdict),
        frame=accuracy_frame(selection),
        document=accuracy_document(selection),
        notes=selection.notes,
    )


def _norm(selection: Selection, curves: list[Curve]) -> list[Section]:
    """The sections of one norm share their epsilons, where they can: as many as fit."""
    if selection.epsilons:
        shown = [e for e in selection.epsilons if e.value and any(c.at(e) for c in curves)]
        return _sections(selection, curves, shown)
    grids = [set(curve.epsilons) for curve in curves]
    known = sorted(set.intersection(*grids))
    attacks = list(dict.fromkeys(curve.attack for curve in curves))
    if len(known) < 2 and len(attacks) > 1:
        apart = ([c for c in curves if c.attack == attack] for attack in attacks)
        return [section for alike in apart for section in _norm(selection, alike)]
    known = known if len(known) > 1 else sorted(set.union(*grids))
    for most in (4, 3, 2, 1):
        sections = _sections(selection, curves, choose(known, most))
        if max(section.width for section in sections) <= WIDTH:
            break
    return sections


def _sections(selection: Selection, curves: list[Curve], shown: Sequence[Eps]) -> list[Section]:
    found = []
    for _, group in groupby(curves, key=lambda curve: (curve.attack, curve.view)):
        alike = list(group)
        found.append(_section(selection, alike, shown, selection.curves))
        if any(curve.at_target for curve in alike):
            found.append(targets(selection.by, alike, shown, found[-1].title))
    return found


def _section(
    selection: Selection, curves: list[Curve], shown: Sequence[Eps], everything: list[Curve]
) -> Section:
    first = curves[0]
    told = _differ(everything, "view") or first.view == SMOOTHED
    view = f", {view_text(first.view)}" if told else ""
    digits = digits_for(min(curve.n for curve in everything))
    reach = max(curve.reach for curve in curves)
    columns: dict[str, list[str]] = {
        selection.by.replace("_", "-"): [curve.label for curve in curves],
        "clean": [percent(curve.clean, digits) for curve in curves],
    }
    for eps in shown:
        columns[f"ε={eps}"] = [percent(curve.at(eps), digits) for curve in curves]
    drawn = f"0…{reach}"
    if any(curve.share for curve in curves):
        same = not _differ(curves, "reach")
        columns[f"area 0–{reach}" if same else "area"] = [
            area(curve, digits) + ("" if same or not curve.share else f" to {curve.reach}")
            for curve in curves
        ]
        columns["ε at half"] = [half(curve) for curve in curves]
        columns[drawn] = [sparkline(curve, float(reach)) for curve in curves]
    if len({len(curve.runs) for curve in everything}) > 1:
        columns["runs"] = [str(len(curve.runs)) for curve in curves]
    if len({images_text([curve]) for curve in everything}) > 1:
        columns["images"] = [images_text([curve]) for curve in curves]
    return Section(
        title=f"{first.attack}, {NORMS.get(first.norm, first.norm)}{view}",
        header=tuple(columns),
        rows=tuple(zip(*columns.values(), strict=True)),
        screen_only=frozenset([drawn]),
    )


def _caption(curves: list[Curve]) -> tuple[str, ...]:
    return (
        ": ".join(filter(None, ["Accuracy in %", ", ".join(common(curves))])) + ".",
        *(text for kind, text in INTERVALS.items() if kind in {c.interval for c in curves}),
    )


def common(curves: Sequence[Curve]) -> list[str]:
    """What all curves share: data, model, runs, images, view."""
    first = curves[0]
    same = [str(getattr(first, key)) for key in ("data", "model") if not _differ(curves, key)]
    found = list(map(short_paths(same), same))
    if len({len(curve.runs) for curve in curves}) == 1:
        count = f"{len(first.runs)} run{'s' * (len(first.runs) > 1)}"
        found.append(count + " each" * _differ(curves, "group"))
    if len({images_text([curve]) for curve in curves}) == 1:
        found.append(f"{images_text(curves)} {first.split} images")
    if not _differ(curves, "view"):
        found.append(view_text(first.view))
    return found


def images_text(curves: Sequence[Curve]) -> str:
    """``200``, or ``200 to 500`` where not all of the accuracies are of as many."""
    counts = sorted({count for curve in curves for both in curve.images for count in both})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _footer(selection: Selection) -> tuple[str, ...]:
    curves = selection.curves
    lines = [
        f"ε: norm of the perturbation, {units(curve.norm for curve in curves)}.",
        "Every image counts; one misclassified unchanged is broken at every ε.",
    ]
    norms = [NORMS.get(norm, norm) for norm in dict.fromkeys(curve.norm for curve in curves)]
    if len(norms) > 1:
        lines.append(f"{listing(norms)} are different distances: compare within one norm.")
    if any(curve.share for curve in curves):
        lines += [
            "area: under the decay curve, as a share of its range of ε (trapezoid rule).",
            "ε at half: where accuracy has fallen to half of the clean accuracy.",
        ]
    if any(curve.at_target for curve in curves):
        lines.append(EXPLAINED)
    if selection.unions:
        lines += UNIONS_EXPLAINED
    if selection.comparisons:
        lines += [
            "difference, [95 % paired bootstrap]: over images and runs; of one run each, images.",
            "*: the interval leaves out 0, and of one run each McNemar's p is below 0.05.",
        ]
    return tuple(lines)


def _differ(curves: Sequence[Curve], key: str) -> bool:
    return len({getattr(curve, key) for curve in curves}) > 1
