"""Accuracies below each other as bars with their intervals, as SVG in the page's own colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from .element import el

_WIDTH, _LEFT, _RIGHT, _ROW, _BOTTOM = 460, 92, 46, 26, 34


@dataclass(frozen=True)
class Bar:
    """A share from 0 to 1, its interval if it has one, and whether it sums up the others."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    last: bool = False


def bars(found: Sequence[Bar], title: str, chance: float | None = None) -> Element:
    """`chance`: what guessing reaches, a dotted line."""
    end = len(found) * _ROW
    made = []
    for percent in range(0, 101, 20):
        x = f"{_x(percent / 100):.1f}"
        made.append(el("line", x1=x, x2=x, y1=0, y2=end, class_="grid"))
        made.append(el("text", str(percent), x=x, y=end + 14, class_="tick x"))
    if chance is not None:  # below the bars, so that it crosses out no number beside a short one
        x, about = f"{_x(chance):.1f}", el("title", f"chance: {100 * chance:.3g} %")
        made.append(el("line", about, x1=x, x2=x, y1=0, y2=end, class_="chance"))
    for i, bar in enumerate(found):
        made.append(_bar(bar, i * _ROW))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    made.append(el("text", "accuracy (%)", x=middle, y=end + _BOTTOM - 4, class_="name"))
    return el(
        "svg",
        *made,
        viewBox=f"0 0 {_WIDTH} {end + _BOTTOM}",
        class_="curves bars",
        role="img",
        aria_label=f"{title}; the numbers follow as a table.",
    )


def _bar(bar: Bar, top: float) -> Element:
    middle, right = top + _ROW / 2, _x(bar.value)
    text = f"{100 * bar.value:.1f}"
    interval = ""
    parts = [
        el("text", bar.name, x=_LEFT - 6, y=middle, class_="y"),
        el(
            "rect",
            x=_LEFT,
            y=top + 5,
            width=f"{right - _LEFT:.1f}",
            height=_ROW - 10,
            class_="all" if bar.last else None,
        ),
    ]
    ends = right
    if bar.low is not None and bar.high is not None:
        low, ends = _x(bar.low), _x(bar.high)
        interval = f" [{100 * bar.low:.1f}–{100 * bar.high:.1f}]"
        path = f"M{low:.1f} {middle - 4}v8M{low:.1f} {middle}H{ends:.1f}M{ends:.1f} {middle - 4}v8"
        parts.append(el("path", d=path, class_="whisker"))
    parts.append(el("text", text, x=f"{ends + 5:.1f}", y=middle, class_="value"))
    return el("g", el("title", f"{bar.name}: {text}{interval} %"), *parts)


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)
