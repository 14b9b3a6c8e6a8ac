"""Church windows: the classes on a plane through each image, a block for each group of runs.

Each panel is the plane of `robustmix analyse -n church-window` through one test image: right and
up are its two directions, the cross in the centre is the image. White is the image's own class,
every other class has a colour of its own. `show` is one or more of class, loss and confidence; of
each group the run with the first seed is drawn. Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
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

SHOWN = {"class": "class", "loss": "cross entropy of the label", "confidence": "confidence"}


@dataclass(kw_only=True)
class ChurchWindow(Figure):
    needs: ClassVar[tuple[str, ...]] = (
        "index",
        "label",
        "a",
        "b",
        "prediction",
        "loss",
        "confidence",
    )
    settings: ClassVar[tuple[str, ...]] = ("eps", "directions")

    show: str = param("class", "class, loss, confidence, or several of them joined by commas")
    images: int = param(16, "at most so many of the images", low=1, high=100)
    columns: int = param(8, "images side by side", low=1, high=20)
    side: float = param(1.0, "of a window, in inches", low=0.5, high=6)

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
        blocks = [(answer, what) for answer in firsts for what in self._shown]
        counts = [min(self.images, a.analysed.table["index"].nunique()) for a, _ in blocks]
        columns = min(self.columns, max(counts))
        rows = [-(-count // columns) for count in counts]
        with _canvas.style():
            canvas, parts = _blocks.stacked(rows, columns, self.side)
            for (answer, what), part, count in zip(blocks, parts, counts, strict=True):
                self._block(part, answer, what, count, columns)
        return canvas

    def _block(self, part: SubFigure, answer: Answer, what: str, count: int, columns: int) -> None:
        from . import _blocks, _canvas

        table = answer.analysed.table
        eps = float(answer.parameters["eps"])
        title = f"{_blocks.titled(answer)}; {answer.parameters['directions']}, ±{eps:.3g} pixels"
        part.suptitle(_canvas.wrapped(title, int(columns * self.side * 13)), fontsize=9)
        panels = _blocks.grid(part, count, columns)
        windows = [window for _, window in table.groupby("index", sort=False)][:count]
        drawn = None
        top = float(table["loss"].quantile(0.99)) if what == "loss" else 1.0
        for panel, window in zip(panels, windows, strict=True):
            if what == "class":
                _classes(panel, window, eps)
            else:
                drawn = panel.imshow(
                    square(window, what), cmap="cividis", vmin=0, vmax=top, **_placed(eps)
                )
            _dress(panel, window, answer.classes)
        if drawn is not None:
            bar = part.colorbar(drawn, ax=panels, location="bottom", aspect=40, pad=0.02)
            bar.set_label(SHOWN[what])
        else:
            shown = pd.concat(windows)
            wrong = shown[shown["prediction"] != shown["label"]]["prediction"]
            _blocks.class_legend(part, sorted(wrong.unique()), answer.classes, columns * self.side)


def square(window: pd.DataFrame, what: str) -> np.ndarray:
    """(rows of b, columns of a): the picture of one window, the first row at the bottom."""
    return window.pivot(index="b", columns="a", values=what).to_numpy()


def _classes(panel: Axes, window: pd.DataFrame, eps: float) -> None:
    from . import _blocks

    label = int(window["label"].iloc[0])
    panel.imshow(_blocks.coloured(square(window, "prediction"), label), **_placed(eps))


def _placed(eps: float) -> dict[str, Any]:
    return {"origin": "lower", "extent": (-eps, eps, -eps, eps), "interpolation": "nearest"}


def _dress(panel: Axes, window: pd.DataFrame, classes: Sequence[str]) -> None:
    from . import _blocks

    panel.plot(0, 0, marker="+", color="black", markersize=5, markeredgewidth=0.8)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.spines[:].set(visible=True, linewidth=0.5)
    index, label = int(window["index"].iloc[0]), int(window["label"].iloc[0])
    panel.set_title(f"{index}: {_blocks.class_name(label, classes)}", fontsize=7, pad=2)
