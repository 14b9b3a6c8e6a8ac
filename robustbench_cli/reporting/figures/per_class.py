"""Confusion matrices: a panel for the unchanged images and one for each attack and epsilon.

Drawn from `robustmix analyse -n per-class`: rows are labels, columns predictions, cells the percent
of the row; a targeted attack also has a panel with its success for each label and target. The runs
of a group are put together, and each group has a block. Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from robustbench_cli.reporting.analyses import Answer
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

FEW = 20
"""Up to so many classes have their names, and numbers in their cells."""


@dataclass(kw_only=True)
class PerClass(Figure):
    needs: ClassVar[tuple[str, ...]] = ("attack", "eps", "label", "target", "prediction", "count")

    columns: int = param(4, "panels side by side", low=1, high=10)
    side: float = param(2.6, "of a panel, in inches", low=1.5, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from . import _blocks, _canvas

        blocks: dict[tuple[Any, ...], list[Answer]] = {}
        for answer in self.answers(selection):
            blocks.setdefault((*answer.key, answer.group), []).append(answer)
        contents = [_panels(pd.concat([a.analysed.table for a in b])) for b in blocks.values()]
        columns = min(self.columns, max(map(len, contents)))
        rows = [-(-len(content) // columns) for content in contents]
        titles = [title for content in contents for title, *_ in content]
        wrapped = {title: _canvas.wrapped(title, int(self.side * 12)) for title in titles}
        lines = max(text.count("\n") for text in wrapped.values())
        with _canvas.style():
            words = 0.25 + 0.15 * lines  # names below a panel make it as much narrower as lower
            canvas, parts = _blocks.stacked(rows, columns, self.side, below=0.1, words=words)
            for alike, part, content in zip(blocks.values(), parts, contents, strict=True):
                runs = f", {len(alike)} runs" if len(alike) > 1 else ""
                part.suptitle(f"{alike[0].label}{runs}: percent of each label", fontsize=9)
                panels = _blocks.grid(part, len(content), columns)
                for panel, (title, across, rows_) in zip(panels, content, strict=True):
                    _matrix(panel, rows_, across, alike[0].classes, self.side)
                    panel.set_title(wrapped[title], fontsize=8)
        return canvas


def _panels(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Title, the column across, and label, across, count, of (which total)."""
    found = []
    for attack, eps in dict.fromkeys(zip(table["attack"], table["eps"], strict=True)):
        rows = table[(table["attack"] == attack) & (table["eps"] == eps)]
        title = f"{attack}, ε={eps}" if attack else "unchanged"
        found.append((title, "prediction", rows.assign(hit=rows["count"])))
        if (rows["target"] >= 0).any():
            hit = rows["count"].where(rows["prediction"] == rows["target"], 0)
            found.append((f"{title}, target reached", "target", rows.assign(hit=hit)))
    return found


def _matrix(
    panel: Axes, rows: pd.DataFrame, across: str, classes: Sequence[str], side: float
) -> None:
    from . import _blocks

    n = max(len(classes), 1 + int(rows[["label", "prediction", "target"]].to_numpy().max()))
    hits, totals = np.zeros((n, n)), np.zeros((n, n))
    np.add.at(hits, (rows["label"], rows[across]), rows["hit"])
    np.add.at(totals, (rows["label"], rows[across]), rows["count"])
    if across == "prediction":
        totals = np.broadcast_to(totals.sum(1, keepdims=True), (n, n))
    share = 100 * np.divide(hits, totals, out=np.full((n, n), np.nan), where=totals > 0)
    panel.imshow(share, vmin=0, vmax=100, cmap="cividis")
    panel.set_xlabel(across)
    panel.set_ylabel("label")
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    if n > FEW:
        return
    names = [_blocks.class_name(i, classes) for i in range(n)]
    panel.set_xticks(range(n), names, rotation=90 if max(map(len, names)) > 2 else 0, fontsize=7)
    panel.set_yticks(range(n), names, fontsize=7)
    for i in range(n):
        for j in range(n):
            if share[i, j] >= 0.5:
                ink = "white" if share[i, j] < 50 else "black"
                style: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
                panel.text(j, i, f"{share[i, j]:.0f}", size=min(8.0, side * 20 / n), **style)
