"""The plane as the network sees it: a panel for each group of runs, training points over it.

Drawn from `robustmix analyse -n decision-regions`; the first seed's run stands for its group. Each
point of the plane has the colours of the classes, mixed by their probabilities; the black lines are
where two classes are equally likely. Training points have the full colour of their label.
Cost: none, it only reads results.
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

PALE = 0.75
"""How far a region's colour is from white; the points over it are not paled."""


@dataclass(kw_only=True)
class DecisionRegions(Figure):
    needs: ClassVar[tuple[str, ...]] = ("x", "y", "label", "class", "probability")

    points: bool = param(True, "draw the training points")
    columns: int = param(3, "panels side by side", low=1, high=10)
    side: float = param(2.6, "of a panel, in inches", low=1, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from . import _blocks, _canvas

        firsts = _blocks.first_runs(self.answers(selection))
        columns = min(self.columns, len(firsts))
        rows = -(-len(firsts) // columns)
        with _canvas.style():
            canvas, (part,) = _blocks.stacked([rows], columns, self.side, below=0.2)
            panels = _blocks.grid(part, len(firsts), columns)
            found: dict[int, None] = {}
            for panel, answer in zip(panels, firsts, strict=True):
                self._panel(panel, answer)
                found |= dict.fromkeys(map(int, answer.analysed.table["class"].unique()))
                title = _canvas.wrapped(_blocks.titled(answer), int(self.side * 14))
                panel.set_title(title, fontsize=8)
            inches = columns * self.side
            _blocks.class_legend(part, sorted(found), firsts[0].classes, inches)
        return canvas

    def _panel(self, panel: Axes, answer: Answer) -> None:
        from . import _blocks

        table = answer.analysed.table
        classes = sorted(map(int, table["class"].unique()))
        grid = table[table["label"] < 0]
        shares = np.stack([square(grid, each) for each in classes])  # (classes, rows, columns)
        colours = np.array([_blocks.class_colour(each) for each in classes])
        mixed = np.einsum("cij,ck->ijk", shares, 1 - PALE * (1 - colours))
        x, y = grid["x"].astype(float), grid["y"].astype(float)
        extent = float(x.min()), float(x.max()), float(y.min()), float(y.max())
        panel.imshow(mixed.clip(0, 1), origin="lower", extent=extent, interpolation="bilinear")
        _boundaries(panel, shares, extent)
        if self.points:
            shown = table[(table["label"] >= 0) & (table["class"] == table["label"])]
            dots = [_blocks.class_colour(int(label)) for label in shown["label"]]
            panel.scatter(shown["x"], shown["y"], 4, dots, edgecolors="white", linewidths=0.15)
        panel.set_xlim(extent[:2])
        panel.set_ylim(extent[2:])


def _boundaries(panel: Axes, shares: np.ndarray, extent: tuple[float, ...]) -> None:
    """Where the likeliest class changes; nothing where one class has the whole plane."""
    across, up = (
        np.linspace(low, high, count)
        for low, high, count in zip(extent[::2], extent[1::2], shares.shape[:0:-1], strict=True)
    )
    for i, row in enumerate(shares):
        lead = row - np.delete(shares, i, axis=0).max(0)
        if lead.min() < 0 < lead.max():
            panel.contour(across, up, lead, levels=[0], colors="black", linewidths=0.7)


def square(grid: pd.DataFrame, of: int) -> np.ndarray:
    """(rows of y, columns of x): a class's probability, the first row at the bottom."""
    rows = grid[grid["class"] == of]
    return rows.pivot(index="y", columns="x", values="probability").to_numpy()
