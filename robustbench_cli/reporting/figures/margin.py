"""Margins between points of two classes: the share of pairs with so wide a one, and the others.

Drawn from `robustmix analyse -n margin`, a line for each group of runs, whose pairs are put
together. Left: how many of the pairs that have a margin have at most so wide a one; a dot is the
median, a tick the mean. Right: what became of all pairs. Cost: none, it only reads results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from robustbench_cli.reporting.analyses import Answer
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

CASES = {  # greys, for colours are the groups'
    "defined": "#4d4d4d",
    "crossed": "#8c8c8c",
    "unsure end": "#bdbdbd",
    "no crossing": "#e8e8e8",
}


@dataclass(kw_only=True)
class Margin(Figure):
    needs: ClassVar[tuple[str, ...]] = ("margin", "case")

    width: float = param(3.4, "of a panel, in inches", low=2, high=12)
    height: float = param(2.6, "of a panel, in inches", low=1.5, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from . import _canvas

        answers = self.answers(selection)
        specs, groups = {answer.spec for answer in answers}, dict[str, list[Answer]]()
        for answer in answers:
            name = answer.label + (f", {answer.spec}" if len(specs) > 1 else "")
            groups.setdefault(name, []).append(answer)
        tables = {
            name: pd.concat([a.analysed.table for a in alike]) for name, alike in groups.items()
        }
        with _canvas.style():
            extra = 0.2 * (len(groups) + len(CASES)) / 2 + 0.2
            height = max(self.height, 0.35 * len(groups))
            canvas, (left, right) = _canvas.panels(2, self.width, height, extra, sharey=False)
            for i, (name, table) in enumerate(tables.items()):
                colour = _canvas.COLOURS[i % len(_canvas.COLOURS)]
                _curve(left, table["margin"].astype(float).dropna().to_numpy(), name, colour)
            _bars(right, tables)
            left.set_xlabel("margin (pixels), at most")
            left.set_ylabel("pairs that have one (%)")
            left.set_title("dot: median, tick: mean", fontsize=8)
            left.set_xlim(left=0)
            left.set_ylim(-2, 102)
            right.set_xlabel("pairs (%)")
            handles, names = (
                [*one, *two]
                for one, two in zip(
                    left.get_legend_handles_labels(),
                    right.get_legend_handles_labels(),
                    strict=True,
                )
            )
            canvas.legend(
                handles,
                names,
                loc="outside lower center",
                ncols=_canvas.legend_shape(names, 2 * self.width)[1],
                frameon=False,
            )
        return canvas


def _curve(panel: Axes, margins: np.ndarray, name: str, colour: str) -> None:
    panel.plot([], [], color=colour, label=name)  # in the legend, also where no pair has a margin
    if not len(margins):
        return
    order = np.sort(margins)
    share = 100 * np.arange(1, len(order) + 1) / len(order)
    panel.step(np.r_[0, order], np.r_[0, share], where="post", color=colour)
    median, mean = float(np.median(order)), float(order.mean())
    at = 100 * float((order <= mean).mean())
    panel.plot(median, 50, marker="o", color=colour, markersize=4)
    panel.plot(mean, at, marker="|", color=colour, markersize=9, markeredgewidth=1.6)


def _bars(panel: Axes, tables: dict[str, pd.DataFrame]) -> None:
    from . import _canvas

    places = np.arange(len(tables))
    start = np.zeros(len(tables))
    for case, colour in CASES.items():
        shares = np.array([100 * float((t["case"] == case).mean()) for t in tables.values()])
        panel.barh(places, shares, 0.6, start, color=colour, label=case)
        start += shares
    panel.set_yticks(places, [_canvas.wrapped(name, 20) for name in tables], fontsize=7)
    panel.invert_yaxis()
    panel.set_xlim(0, 100)
