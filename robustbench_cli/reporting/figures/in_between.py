"""Between training images: misses and gradient norms against λ, a line for each group of runs.

Drawn from `robustmix analyse -n in-between`, as figure 2 of the paper on mixup: the share of
mixtures that are taken for neither image, and the norm of the loss's gradient. Full lines: pairs
of other classes; dashed: of the same class. Bands are 95 % t intervals over three or more seeds.
Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from robustbench_cli.reporting.analyses import Answer
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.spec import param
from robustbench_cli.statistics.intervals import t_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

PANELS = {"miss": "miss (%)", "gradient": "norm of the gradient"}


@dataclass(kw_only=True)
class InBetween(Figure):
    needs: ClassVar[tuple[str, ...]] = ("same", "lam", "miss", "gradient")

    width: float = param(3.2, "of a panel, in inches", low=2, high=12)
    height: float = param(2.6, "of a panel, in inches", low=1.5, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from matplotlib.lines import Line2D

        from . import _canvas

        answers = self.answers(selection)
        groups: dict[str, list[Answer]] = {}
        specs = {answer.spec for answer in answers}
        for answer in answers:
            name = answer.label + (f", {answer.spec}" if len(specs) > 1 else "")
            groups.setdefault(name, []).append(answer)
        kinds = sorted({bool(s) for a in answers for s in a.analysed.table["same"].unique()})
        with _canvas.style():
            canvas, axes = _canvas.panels(
                2, self.width, self.height, 0.2 * (len(groups) + 1), sharey=False
            )
            for panel, (column, title) in zip(axes, PANELS.items(), strict=True):
                for number, alike in enumerate(groups.values()):
                    colour = _canvas.COLOURS[number % len(_canvas.COLOURS)]
                    for same in kinds:
                        _line(panel, alike, column, same, colour)
                panel.set_xlabel("λ")
                panel.set_ylabel(title)
                panel.set_ylim(bottom=0)
            handles = [
                Line2D([], [], color=_canvas.COLOURS[i % len(_canvas.COLOURS)], label=name)
                for i, name in enumerate(groups)
            ]
            words = {False: "other classes", True: "same class"}
            handles += [
                Line2D([], [], color="grey", linestyle="--" if s else "-", label=words[s])
                for s in kinds
            ]
            names = [str(handle.get_label()) for handle in handles]
            canvas.legend(
                handles=handles,
                loc="outside lower center",
                ncols=_canvas.legend_shape(names, 2 * self.width)[1],
                frameon=False,
            )
        return canvas


def _line(panel: Axes, alike: Sequence[Answer], column: str, same: bool, colour: str) -> None:
    """The mean over the pairs of each run, then over runs."""
    curves = [_curve(answer.analysed.table, column, same) for answer in alike]
    curves = [curve for curve in curves if len(curve)]
    if not curves:
        return
    wide = pd.concat(curves, axis=1, join="inner") * (100 if column == "miss" else 1)
    lam = wide.index.to_numpy()
    panel.plot(lam, wide.mean(axis=1), color=colour, linestyle="--" if same else "-")
    bands = [t_interval([float(v) for v in row]) for row in wide.to_numpy()]
    if all(band is not None for band in bands):
        low, high = np.array([band for band in bands if band is not None]).T
        panel.fill_between(lam, np.maximum(low, 0), high, color=colour, alpha=0.18, linewidth=0)


def _curve(table: pd.DataFrame, column: str, same: bool) -> pd.Series:
    rows = table[table["same"] == same]
    return rows[column].astype(float).groupby(rows["lam"]).mean()
