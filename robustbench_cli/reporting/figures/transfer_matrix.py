"""Heat map of transfers: crafted on the network of the row, shown to the network of the column.

Cells hold the target's accuracy in percent, over the images that both classify correctly when
unchanged, or over all. White-box cells, where a network is attacked by itself, are framed and
starred. Cost: none, it only reads results.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.numbers.transfers import Cell
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.cells import NORMS
from robustbench_cli.reporting.tables.transfers import ALL, BOTH, axes_of, text_of, value_of
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from matplotlib.image import AxesImage


@dataclass(kw_only=True)
class TransferMatrix(Figure):
    images: Literal["both", "all"] = param(
        "both", "over which images: those that both classify correctly, or all"
    )
    cell: float = param(0.62, "height of a cell, in inches", low=0.4, high=3)

    def draw(self, selection: Selection) -> Drawing:
        from . import _canvas

        what = BOTH if self.images == "both" else ALL
        matrices = [list(p) for _, p in groupby(selection.cells, key=lambda c: (c.attack, c.eps))]
        sources, targets = (max((axes_of(m)[i] for m in matrices), key=len) for i in (0, 1))
        with _canvas.style():
            margin = 0.9 + 0.065 * min(18, max(map(len, sources)))
            width = max(3.2, len(targets) * self.cell * 1.25 + margin)
            height = len(sources) * self.cell + 1.1 + 0.05 * min(18, max(map(len, targets)))
            canvas, axes = _canvas.panels(len(matrices), width, height, 0.4, sharey=False)
            for cells, panel in zip(matrices, axes, strict=True):
                image = self._matrix(panel, cells, what)
                norm = NORMS.get(cells[0].norm, cells[0].norm)
                panel.set_title(_canvas.wrapped(f"{cells[0].attack}, {norm}, ε={cells[0].eps}", 40))
            bar = canvas.colorbar(image, ax=axes, fraction=0.05, pad=0.02)
            label = ["accuracy of", "the target (%)"]  # in a line longer than one row is high
            bar.set_label(("\n" if len(sources) == 1 else " ").join(label))
            stars = "; *: white box" if any(c.white_box for m in matrices for c in m) else ""
            canvas.supxlabel(f"{what}{stars}", fontsize=8)
        return canvas

    def _matrix(self, panel: Axes, cells: list[Cell], what: str) -> AxesImage:
        import numpy as np

        sources, targets = axes_of(cells)
        values = np.full((len(sources), len(targets)), np.nan)
        for row, source in enumerate(sources):
            for column, target in enumerate(targets):
                here = [c for c in cells if (c.source, c.target) == (source, target)]
                if here:
                    # where a pair has both, the transfer gives the colour
                    first = min(here, key=lambda cell: cell.white_box)
                    values[row, column] = 100 * value_of(first, what)
                    ink = "white" if values[row, column] < 50 else "black"
                    text = "\n".join(text_of(here, what))
                    style: dict[str, Any] = {
                        "ha": "center",
                        "va": "center",
                        "fontsize": 8,
                        "color": ink,
                    }
                    panel.text(column, row, text, **style)
                    if first.white_box:
                        _frame(panel, row, column, ink)
        image = panel.imshow(values, vmin=0, vmax=100, cmap="cividis", aspect="auto")
        wrapped = [[_short(name) for name in names] for names in (targets, sources)]
        lines = max(name.count("\n") for name in wrapped[0]) + 1
        slanted: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
        if lines > 2:  # of which slanted ones would run into each other
            slanted = {"rotation": 90, "ha": "center", "va": "top"}
        panel.set_xticks(range(len(targets)), wrapped[0], **slanted)
        panel.set_yticks(range(len(sources)), wrapped[1])
        panel.set_xticks(np.arange(0.5, len(targets) - 1), minor=True)
        panel.set_yticks(np.arange(0.5, len(sources) - 1), minor=True)
        panel.grid(which="minor", color="white", linewidth=1.5)
        panel.tick_params(which="both", length=0)
        panel.set_axisbelow(False)
        panel.set_xlabel("shown to")
        panel.set_ylabel("crafted on")
        panel.spines[:].set_visible(False)
        return image


def _frame(panel: Axes, row: int, column: int, ink: str) -> None:
    from matplotlib.patches import Rectangle

    corner, side = (column - 0.44, row - 0.44), 0.88
    panel.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=ink, linestyle="--"))


def _short(label: str, most: int = 18) -> str:
    from . import _canvas

    return _canvas.wrapped(label, most)
