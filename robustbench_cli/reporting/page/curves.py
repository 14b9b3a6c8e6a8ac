"""Decay curves as SVG that answers: a value at every point, lines that can be switched off.

A panel for each attack and view, a line for each group, one legend for all. The same numbers follow
as tables. Colours and dashes are classes of the style sheet, so that they follow the reader's
light or dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import floor, log10
from xml.etree.ElementTree import Element

from robustbench_cli.reporting.formats.table import Section
from robustbench_cli.reporting.numbers.summary import Curve
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.cells import (
    INTERVALS,
    NONE,
    NORMS,
    digits_for,
    in_255ths,
    percent,
    units,
    view_text,
)

from .element import el
from .tables import Groups, paragraph, section_table

COLOURS = 7
BANDS = 6  # lines, above which bands hide more than they show
DASHES = 5
_SIZE, _LEFT, _RIGHT, _TOP, _BOTTOM = (460, 300), 44, 20, 10, 44


def decay(selection: Selection, groups: Groups) -> list[Element]:
    """The legend, what bands are, and the panels."""
    many = len(groups) > BANDS
    words = [text for kind, text in INTERVALS.items() if kind in _kinds(selection.curves)]
    bands = "Bands are shown of highlighted lines (★) only. " if many else ""
    drawn = el("div", *panels(selection, groups), class_="panels" + " many" * many)
    return [legend(selection, groups), *paragraph([bands + " ".join(words)], "small"), drawn]


def legend(selection: Selection, groups: Groups) -> Element:
    """A switch and a highlighter for each group; the script makes them work."""
    marked = selection.highlighted(groups)
    entries = []
    for label, number in groups.items():
        swatch = el(
            "svg",
            el("line", x1=0, y1=6, x2=26, y2=6, class_=f"stroke {look(number)}"),
            viewBox="0 0 26 12",
            width=26,
            height=12,
            aria_hidden="true",
        )
        show = el("button", swatch, label, type="button", aria_pressed="true", data_show=number)
        mark = el("button", "★", type="button", data_mark=number, aria_label=f"highlight {label}")
        mark.set("aria-pressed", "true" if label in marked else "false")
        entries.append(el("li", show, mark))
    everything = [
        el("li", el("button", word, type="button", data_all=to))
        for word, to in (("all", "true"), ("none", "false"))
    ]
    return el("ul", *entries, *everything, class_="legend", aria_label="Lines: on or off")


def panels(selection: Selection, groups: Groups) -> list[Element]:
    """A figure for each attack and view, with its numbers below."""
    by_attack = groupby(selection.curves, key=lambda curve: (curve.attack, curve.view))
    return [_figure(selection, list(alike), groups) for _, alike in by_attack]


def look(number: int) -> str:
    """Classes of the number-th line: 35 differ in colour or in dashes."""
    return f"c{number % COLOURS} d{(number + number // COLOURS) % DASHES}"


def _figure(selection: Selection, curves: list[Curve], groups: Groups) -> Element:
    first, reach = curves[0], max(float(curve.reach) for curve in curves) or 1.0
    norm = NORMS.get(first.norm, first.norm)
    title = f"{first.attack}, {norm}" + ("" if first.view == "deployed" else f", {first.view}")
    lines = [_line(selection, curve, groups[curve.label], reach) for curve in curves]
    plot = el(
        "svg",
        *_axes(curves, reach),
        *lines,
        viewBox=f"0 0 {_SIZE[0]} {_SIZE[1]}",
        class_="curves",
        role="img",
        tabindex=0,
        aria_label=f"Decay curves under {title}: accuracy in % against ε. The arrow keys go from "
        "point to point; the numbers follow as a table.",
    )
    said = el("output", "\N{NO-BREAK SPACE}", aria_live="polite")
    table = section_table(_numbers(selection, curves, title), groups)
    details = el("details", el("summary", "Every point"), table)
    return el("figure", el("figcaption", title), plot, said, details, class_="decay")


def _numbers(selection: Selection, curves: Sequence[Curve], title: str) -> Section:
    """A row for each group, a column for each epsilon."""
    digits = digits_for(min(curve.n for curve in selection.curves))
    known = sorted({curve.epsilons[i] for curve in curves for i in selection.shown(curve)})
    header = (selection.by.replace("_", "-"), *(f"ε={eps}" for eps in known))
    rows = tuple(
        (curve.label, *(percent(curve.at(eps), digits) if curve.at(eps) else NONE for eps in known))
        for curve in curves
    )
    said = " ".join(text for kind, text in INTERVALS.items() if kind in _kinds(curves))
    return Section(f"{title}, {view_text(curves[0].view)}: accuracy in %. {said}", header, rows)


def _kinds(curves: Sequence[Curve]) -> set[str]:
    return {curve.interval for curve in curves}


def _line(selection: Selection, curve: Curve, group: int, reach: float) -> Element:
    """The band where all points have an interval, the line, and a dot with its value for each."""
    shown = selection.shown(curve)
    digits = digits_for(min(each.n for each in selection.curves))
    at = [(curve.epsilons[i], curve.accuracy[i]) for i in shown]
    places = [(_x(float(eps), reach), _y(estimate.value)) for eps, estimate in at]
    bounds = [(e.low, e.high) for _, e in at if e.low is not None and e.high is not None]
    parts = []
    if len(bounds) == len(at):
        upper = [(x, _y(high)) for (x, _), (_, high) in zip(places, bounds, strict=True)]
        lower = [(x, _y(low)) for (x, _), (low, _) in zip(places, bounds, strict=True)]
        parts.append(el("polygon", points=_points(upper + lower[::-1]), class_="band"))
    parts.append(el("polyline", points=_points(places), class_="stroke"))
    for (x, y), (eps, estimate) in zip(places, at, strict=True):
        text = f"{curve.label}, ε={eps}: {percent(estimate, digits)} %"
        parts.append(el("circle", el("title", text), cx=f"{x:.1f}", cy=f"{y:.1f}", r=3))
    return el("g", *parts, class_=f"line {look(group)}", data_group=group)


def _axes(curves: Sequence[Curve], reach: float) -> list[Element]:
    right, bottom = _SIZE[0] - _RIGHT, _SIZE[1] - _BOTTOM
    made = []
    for share in range(0, 101, 20):
        y = f"{_y(share / 100):.1f}"
        made.append(el("line", x1=_LEFT, x2=right, y1=y, y2=y, class_="grid"))
        made.append(el("text", str(share), x=_LEFT - 6, y=y, class_="tick y"))
    for value, text in ticks(curves, reach):
        x = f"{_x(value, reach):.1f}"
        made.append(el("line", x1=x, x2=x, y1=_TOP, y2=bottom, class_="grid"))
        made.append(el("text", text, x=x, y=bottom + 16, class_="tick x"))
    classes = {curve.classes for curve in curves}
    if len(classes) == 1 and (count := classes.pop()):
        y = f"{_y(1 / count):.1f}"
        title = el("title", f"chance: {100 / count:.3g} %")
        made.append(el("line", title, x1=_LEFT, x2=right, y1=y, y2=y, class_="chance"))
    norm = curves[0].norm
    name = f"ε ({NORMS.get(norm, norm)}, {units([norm])})"
    middle = f"translate(12 {(_TOP + bottom) / 2:.0f}) rotate(-90)"
    made.append(el("text", name, x=(_LEFT + right) / 2, y=_SIZE[1] - 8, class_="name"))
    made.append(el("text", "accuracy (%)", transform=middle, class_="name"))
    return made


def ticks(curves: Sequence[Curve], reach: float) -> list[tuple[float, str]]:
    """At most six round numbers, in 255ths where the grid was written so."""
    if all(in_255ths(curve.epsilons) for curve in curves):
        most = reach * 255
        step = next(s for s in (1, 2, 4, 8, 16, 32, 64) if most / s <= 6 or s == 64)
        return [(k / 255, f"{k}/255" if k else "0") for k in range(0, int(most + 1e-6) + 1, step)]
    power = 10.0 ** floor(log10(reach / 5))
    width = next(power * m for m in (1, 2, 5, 10) if reach / (power * m) <= 6)
    return [(k * width, f"{k * width:.6g}") for k in range(int(reach / width + 1e-6) + 1)]


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _x(eps: float, reach: float) -> float:
    return _LEFT + eps / reach * (_SIZE[0] - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _TOP + (1 - share) * (_SIZE[1] - _TOP - _BOTTOM)
