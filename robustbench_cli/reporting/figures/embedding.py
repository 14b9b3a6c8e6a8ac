"""Test images in front of the last layer, in two dimensions, in the colours of their classes.

Drawn from `robustmix analyse -n embedding`, a row for each group, which is its run of the
first seed. Crosses are misclassified images. `show` is one or more of `all`,
`right` (without the misclassified) and `wrong` (nothing but them). The pale clouds are samples of
the classes' Gaussians, where the method keeps them. Cost: none, it only reads results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.analyses import Answer
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from matplotlib.figure import SubFigure

SHOWN = {"all": "all", "right": "without the misclassified", "wrong": "misclassified"}


@dataclass(kw_only=True)
class Embedding(Figure):
    needs: ClassVar[tuple[str, ...]] = ("kind", "label", "prediction", "x", "y", "explained")

    show: str = param("all,right", "all, right, wrong, or several of them joined by commas")
    gaussians: bool = param(True, "samples of the classes' Gaussians, where there are any")
    side: float = param(3.0, "of a panel, in inches", low=1.5, high=12)

    def __post_init__(self) -> None:
        super().__post_init__()
        for word in self._shown:
            if word not in SHOWN:
                raise UsageError(f"{self.name}: no show={word}; expected {', '.join(SHOWN)}")

    @property
    def _shown(self) -> list[str]:
        return [word.strip() for word in self.show.split(",")]

    def draw(self, selection: Selection) -> Drawing:
        from . import _blocks, _canvas

        firsts = _blocks.first_runs(self.answers(selection))
        columns = len(self._shown)
        with _canvas.style():
            canvas, parts = _blocks.stacked([1] * len(firsts), columns, self.side, below=0.45)
            for answer, part in zip(firsts, parts, strict=True):
                self._block(part, answer, columns)
        return canvas

    def _block(self, part: SubFigure, answer: Answer, columns: int) -> None:
        from . import _blocks, _canvas

        table = answer.analysed.table
        explained = float(table["explained"].iloc[0])
        axes = (
            "" if explained == 1 else f"; principal axes, {100 * explained:.0f} % of the variance"
        )
        part.suptitle(
            _canvas.wrapped(_blocks.titled(answer) + axes, int(columns * self.side * 13)),
            fontsize=9,
        )
        images, samples = table[table["kind"] == "image"], table[table["kind"] == "sample"]
        samples = samples if self.gaussians else samples[:0]
        wrong = images["prediction"] != images["label"]
        chosen = {"all": images, "right": images[~wrong], "wrong": images[wrong]}
        seen = pd.concat([images, samples])
        for panel, word in zip(_blocks.grid(part, columns, columns), self._shown, strict=True):
            _scatter(panel, samples, "o", size=6, alpha=0.06)
            rows = chosen[word]
            mistaken = rows["prediction"] != rows["label"]
            _scatter(panel, rows[~mistaken], "o", size=5, alpha=0.8)
            _scatter(panel, rows[mistaken], "x", size=16, alpha=1.0)
            crosses = f", {mistaken.sum()} misclassified (x)" if word == "all" else ""
            clouds = ", clouds: Gaussians" if len(samples) else ""
            title = _canvas.wrapped(f"{SHOWN[word]}: {len(rows)}{crosses}{clouds}", 50)
            panel.set_title(title, fontsize=8)
            _frame(panel, seen)
        found = sorted(int(label) for label in seen["label"].unique())
        _blocks.class_legend(part, found, answer.classes, columns * self.side)


def _scatter(panel: Axes, rows: pd.DataFrame, marker: str, size: float, alpha: float) -> None:
    """Shuffled, so that no class hides the others."""
    from . import _blocks

    mixed = rows.sample(frac=1, random_state=0)
    colours = [_blocks.class_colour(int(label)) for label in mixed["label"]]
    width = 0.9 if marker == "x" else 0
    panel.scatter(
        mixed["x"], mixed["y"], size, colours, marker=marker, alpha=alpha, linewidths=width
    )


def _frame(panel: Axes, rows: pd.DataFrame) -> None:
    """The same for all panels of a run: all rows, and a margin around them."""
    for axis, limits in (("x", panel.set_xlim), ("y", panel.set_ylim)):
        low, high = float(rows[axis].min()), float(rows[axis].max())
        margin = 0.04 * (high - low) or 1.0
        limits(low - margin, high + margin)
    panel.tick_params(labelsize=7)
