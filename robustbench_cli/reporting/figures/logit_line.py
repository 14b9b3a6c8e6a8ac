"""Logits along the sign of the gradient: a panel for each image, a line for each class.

Drawn from `robustmix analyse -n logit-line`. The image is at 0; the thick line is its own class. Of
each group the run with the first seed is drawn. Cost: none, it only reads results.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, ClassVar

from robustbench_cli.reporting.analyses import Answer
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing
    from matplotlib.figure import SubFigure


@dataclass(kw_only=True)
class LogitLine(Figure):
    needs: ClassVar[tuple[str, ...]] = ("index", "label", "t", "class", "logit", "pieces")

    images: int = param(4, "at most so many of the images", low=1, high=100)
    columns: int = param(4, "images side by side", low=1, high=20)
    side: float = param(1.8, "of a panel, in inches", low=1, high=6)

    def draw(self, selection: Selection) -> Drawing:
        from . import _blocks, _canvas

        firsts = _blocks.first_runs(self.answers(selection))
        counts = [min(self.images, a.analysed.table["index"].nunique()) for a in firsts]
        columns = min(self.columns, max(counts))
        rows = [-(-count // columns) for count in counts]
        with _canvas.style():
            canvas, parts = _blocks.stacked(rows, columns, self.side, below=0.55)
            for answer, part, count in zip(firsts, parts, counts, strict=True):
                self._block(part, answer, count, columns)
        return canvas

    def _block(self, part: SubFigure, answer: Answer, count: int, columns: int) -> None:
        from . import _blocks

        table = answer.analysed.table
        part.suptitle(_blocks.titled(answer), fontsize=9)
        lines = [line for _, line in table.groupby("index", sort=False)][:count]
        for i, (panel, line) in enumerate(
            zip(_blocks.grid(part, count, columns), lines, strict=True)
        ):
            first = line.iloc[0]
            label, pieces = int(first["label"]), float(first["pieces"])
            for name, one in line.groupby("class"):
                width = 2.2 if int(str(name)) == label else 0.9
                colour = _blocks.class_colour(int(str(name)))
                panel.plot(one["t"], one["logit"], color=colour, linewidth=width)
            panel.axvline(0, color="grey", linewidth=0.6, linestyle=":")
            told = "" if isnan(pieces) else f", {pieces:.0f} pieces"
            own = _blocks.class_name(label, answer.classes)
            panel.set_title(f"{int(first['index'])}: {own}{told}", fontsize=8)
            panel.set_xlabel("t (pixels)")
            if i % columns == 0:
                panel.set_ylabel("logit")
        found = sorted(table["class"].unique())
        _blocks.class_legend(part, found, answer.classes, columns * self.side)
