"""Accuracy under each corruption at each severity, and how it falls with severity.

Drawn from `robustmix analyse -n corruptions`. `show=cells` is a heat map for each group, means over
its runs in percent, with the mean of each row, of each column and of all. `show=decay` is the mean
over the corruptions against severity, 0 for unchanged images, a line for each group; beside it, for
each attack that is stored, the same networks against epsilon: the two axes have no common scale.
More than eight groups are many lines; then look at the table. Cost: none, it only reads results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from robustbench_cli.errors import RunError
from robustbench_cli.reporting.analyses import Answer
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.figures._quantity import in_percent
from robustbench_cli.reporting.numbers.summary import Estimate, Interval
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.cells import NORMS
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from matplotlib.image import AxesImage

    from ._lines import Line

ALL = "mean"


@dataclass(kw_only=True)
class Corruptions(Figure):
    needs: ClassVar[tuple[str, ...]] = ("corruption", "severity", "accuracy", "n")

    show: Literal["cells", "decay"] = param("cells", "every cell, or the fall with severity")
    cell: float = param(0.3, "height of a cell, in inches", low=0.2, high=2)

    def draw(self, selection: Selection) -> Drawing:
        groups: dict[str, list[Answer]] = {}
        answers = self.answers(selection)
        several = len({answer.key for answer in answers}) > 1
        for answer in answers:
            more = "" if answer.view == "deployed" else f", {answer.view}"
            name = answer.label + more + (f", {answer.spec}" if several else "")
            groups.setdefault(name, []).append(answer)
        return self._decay(groups, selection) if self.show == "decay" else self._cells(groups)

    def _cells(self, groups: Mapping[str, Sequence[Answer]]) -> Drawing:
        from . import _canvas

        tables = {name: _table(alike) for name, alike in groups.items()}
        shapes = [table.shape for table in tables.values()]
        with _canvas.style():
            width = 1.6 + 0.48 * max(columns for _, columns in shapes)
            height = 0.8 + self.cell * max(rows for rows, _ in shapes)
            canvas, axes = _canvas.panels(len(tables), width, height, 0.3, sharey=False)
            for (name, table), panel in zip(tables.items(), axes, strict=True):
                image = _heat(panel, table)
                count = f" ({len(groups[name])} runs)" if len(groups[name]) > 1 else ""
                panel.set_title(_canvas.wrapped(name + count, int(width * 13)))
            bar = canvas.colorbar(image, ax=axes, fraction=0.05, pad=0.02)
            bar.set_label("accuracy (%)")
            inches = _canvas.columns_of(len(tables)) * width
            canvas.supxlabel(_canvas.wrapped(_said(groups), int(inches * 13)), fontsize=8)
        return canvas

    def _decay(self, groups: Mapping[str, Sequence[Answer]], selection: Selection) -> Drawing:
        from matplotlib.lines import Line2D

        from . import _canvas, _lines

        severity = [_over_severity(name, alike) for name, alike in groups.items()]
        panels = [("corruptions", "severity", severity)]
        kinds = set[Interval]()
        try:
            curves = selection.curves
        except RunError:  # not attacked: then there is nothing to set it beside
            curves = []
        for attack, norm in dict.fromkeys((curve.attack, curve.norm) for curve in curves):
            lines = [
                _lines.Line.through(c.label, map(float, c.epsilons), [*map(in_percent, c.accuracy)])
                for c in curves
                if (c.attack, c.norm) == (attack, norm)
            ]
            kinds |= {c.interval for c in curves if c.attack == attack}
            panels.append((attack, f"{NORMS.get(norm, norm)} epsilon", lines))
        if any(line.low for line in severity):
            kinds.add("t")
        labels = list(dict.fromkeys(line.label for _, _, lines in panels for line in lines))
        width = 3.2 * (1.4 if len(panels) == 1 else 1)
        names = [_canvas.wrapped(label, 60) for label in labels]
        inches = _canvas.columns_of(len(panels)) * width
        shape = _canvas.legend_shape(names, inches)
        said = list(_lines.intervals(kinds))
        with _canvas.style():
            extra = 0.2 * (shape[0] + len(said)) + 0.3
            canvas, axes = _canvas.panels(len(panels), width, 2.6, extra)
            for (title, across, lines), panel in zip(panels, axes, strict=True):
                for line in lines:
                    _lines.draw_line(panel, line, _canvas.line_style(labels.index(line.label)))
                panel.set_title(_canvas.wrapped(title, int(width * 13)))
                panel.set_xlabel(across)
                panel.set_ylim(0, 102)
            axes[0].set_ylabel("accuracy (%)")
            axes[0].set_xticks(range(1 + int(max(max(line.x) for line in severity))))
            handles = [
                Line2D([], [], label=name, **_canvas.line_style(i), markersize=4)
                for i, name in enumerate(names)
            ]
            _lines.legend(canvas, handles, shape[1], said, inches)
        return canvas


def _table(alike: Sequence[Answer]) -> pd.DataFrame:
    """Percent: a row for each corruption, a column for each severity, means at the ends."""
    rows = pd.concat([answer.analysed.table for answer in alike])
    rows = rows[rows["severity"] > 0]
    order = list(dict.fromkeys(rows["corruption"]))
    table = 100 * rows.pivot_table(values="accuracy", index="corruption", columns="severity")
    table = table.loc[order]
    if table.shape[1] > 1:
        table[ALL] = table.mean(axis=1)
    if len(table) > 1:
        table.loc[f"{ALL} of {len(table)}"] = table.mean()
    return table


def _heat(panel: Axes, table: pd.DataFrame) -> AxesImage:
    values = table.to_numpy(float)
    image = panel.imshow(values, vmin=0, vmax=100, cmap="cividis", aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        if not np.isnan(value):
            ink = "white" if value < 50 else "black"
            style: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
            panel.text(j, i, f"{value:.0f}", fontsize=7, **style)
    panel.set_xticks(range(values.shape[1]), [str(name) for name in table.columns])
    panel.set_yticks(range(values.shape[0]), [str(n).replace("_", " ") for n in table.index])
    if ALL in table.columns:
        panel.axvline(values.shape[1] - 1.5, color="white", linewidth=2)
    if len(table) > 1:
        panel.axhline(values.shape[0] - 1.5, color="white", linewidth=2)
    panel.set_xlabel("severity")
    panel.tick_params(which="both", length=0)
    panel.spines[:].set_visible(False)
    return image


def _said(groups: Mapping[str, Sequence[Answer]]) -> str:
    """Which images were corrupted, and how many there are."""
    answers = [answer for alike in groups.values() for answer in alike]
    counts = sorted({int(n) for answer in answers for n in answer.analysed.table["n"]})
    several = f" to {counts[-1]}" if len(counts) > 1 else ""
    specs = dict.fromkeys(answer.spec for answer in answers)
    return f"{', '.join(specs) if len(specs) == 1 else 'corruptions'}; {counts[0]}{several} images"


def _over_severity(name: str, alike: Sequence[Answer]) -> Line:
    means = [answer.analysed.table.groupby("severity")["accuracy"].mean() for answer in alike]
    severities = [s for s in means[0].index if all(s in each.index for each in means)]
    from ._lines import Line

    shares = [Estimate.over([float(each[s]) for each in means]) for s in severities]
    return Line.through(name, map(float, severities), [in_percent(share) for share in shares])
