"""Clean image, adversarial and their difference, side by side, with classes and confidences.

Drawn from `robustmix analyse -n adversarials`: a block for each run that comes first in its group,
a column for each image. The difference is drawn around grey, stretched by the factor that is
written beside it. Cost: none, it only reads results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from robustbench_cli.reporting.analyses import Answer
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.formats.images import pixels
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from matplotlib.figure import SubFigure


@dataclass(kw_only=True)
class Adversarials(Figure):
    needs: ClassVar[tuple[str, ...]] = (
        "eps",
        "label",
        "prediction",
        "confidence",
        "clean_confidence",
        "adversarial",
        "survives",
        "shape",
        "clean",
        "image",
    )
    settings: ClassVar[tuple[str, ...]] = ("attack",)

    images: int = param(8, "at most so many of the images", low=1, high=100)
    side: float = param(1.0, "of an image, in inches", low=0.5, high=6)

    def draw(self, selection: Selection) -> Drawing:
        from . import _blocks, _canvas

        firsts = _blocks.first_runs(self.answers(selection))
        blocks = [
            (answer, rows.head(self.images))
            for answer in firsts
            for _, rows in answer.analysed.table.groupby("eps", sort=False)
        ]
        columns = max(len(rows) for _, rows in blocks)
        with _canvas.style():
            canvas, parts = _blocks.stacked([3] * len(blocks), columns, self.side, below=0.3)
            for (answer, rows), part in zip(blocks, parts, strict=True):
                self._block(part, answer, rows, columns)
        return canvas

    def _block(self, part: SubFigure, answer: Answer, rows: pd.DataFrame, columns: int) -> None:
        from . import _blocks, _canvas

        clean, image = pixels(rows, "clean"), pixels(rows, "image")
        change = image - clean
        factor = 0.5 / max(float(np.abs(change).max()), 1e-9)
        eps, attack = rows["eps"].iloc[0], answer.parameters["attack"]
        title = f"{_blocks.titled(answer)}; {attack}" + (f", ε={eps}" if eps else "")
        part.suptitle(_canvas.wrapped(title, int(columns * self.side * 13)), fontsize=9)
        axes = part.subplots(3, columns, squeeze=False)
        shown = (clean, image, 0.5 + factor * change)
        names = ("clean", "adversarial", f"difference\nx {factor:.3g}")
        for line, pictures, name in zip(axes, shown, names, strict=True):
            for panel, picture in zip(line, pictures, strict=False):
                _picture(panel, picture)
            line[0].set_ylabel(name, fontsize=8)
            for unused in line[len(rows) :]:
                unused.remove()
        for i, (_, row) in enumerate(rows.iterrows()):
            label = _blocks.class_name(int(row["label"]), answer.classes)
            taken = _blocks.class_name(int(row["prediction"]), answer.classes)
            sure = f"{label}, {100 * row['clean_confidence']:.0f} %"
            axes[0, i].set_title(sure, fontsize=7, pad=2)
            lost = "" if row["survives"] else "*"
            says = f"{taken}, {100 * row['confidence']:.0f} %"
            says = says + lost if row["adversarial"] else f"held: {says}"
            axes[1, i].set_title(says, fontsize=7, pad=2)
        if not rows["survives"][rows["adversarial"]].all():
            part.supxlabel("*: no longer adversarial once it is rounded to 8 bits", fontsize=7)


def _picture(panel: Axes, image: np.ndarray) -> None:
    """(C, H, W) in [0, 1], of one or three channels."""
    grey = len(image) == 1
    shown = image[0] if grey else image.transpose(1, 2, 0).clip(0, 1)
    panel.imshow(shown, vmin=0, vmax=1, cmap="gray", interpolation="nearest")
    panel.set_xticks([])
    panel.set_yticks([])
    panel.spines[:].set(visible=True, linewidth=0.4)
