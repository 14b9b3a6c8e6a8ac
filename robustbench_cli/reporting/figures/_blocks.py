"""What pictures of single runs share: a block for each run, class colours, small panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from robustbench_cli.reporting.analyses import Answer

from ._canvas import Canvas, legend_shape

TITLE = 0.36  # inches above a block
TALL = 2


def first_runs(answers: Sequence[Answer]) -> list[Answer]:
    """Of each analysis and group, the run that comes first."""
    return list({(*answer.key, answer.group): answer for answer in reversed(answers)}.values())[
        ::-1
    ]


def titled(answer: Answer) -> str:
    """The group, and which of its seeds is drawn."""
    seed = answer.run.config.get("seed")
    view = "" if answer.view == "deployed" else f", {answer.view}"
    return answer.label + ("" if seed is None else f", seed {seed}") + view


def stacked(
    rows: Sequence[int], columns: int, side: float, below: float = 0.3, words: float = 0.2
) -> tuple[Canvas, list[Any]]:
    """Blocks above each other, each of some rows of square panels that are `side` inches wide.

    Side by side as well where the picture would be taller than `TALL` times its width.
    `below`: inches under the panels, for a legend; `words`: of each row, for titles and names.
    """
    high = [count * (side + words) + TITLE + below for count in rows]
    width = max(columns * side + 0.3, 3.6)
    for across in range(1, len(rows) + 1):
        heights = [max(high[i : i + across]) for i in range(0, len(high), across)]
        if sum(heights) <= TALL * across * width:
            break
    canvas = Canvas(figsize=(across * width, sum(heights)), layout="constrained")
    parts = canvas.subfigures(len(heights), across, height_ratios=heights, squeeze=False)
    return canvas, list(parts.flat)[: len(rows)]


def grid(part: Any, count: int, columns: int) -> list[Axes]:
    """`count` panels in rows of `columns`; the rest stays empty."""
    rows = -(-count // columns)
    axes = list(part.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[count:]:
        unused.remove()
    return axes[:count]


def class_colour(index: int) -> tuple[float, float, float]:
    """Ten that are told apart, then twenty paler ones again and again; none is white."""
    name, size = ("tab10", 10) if index < 10 else ("tab20b", 20)
    red, green, blue = to_rgb(colormaps[name](index % size))
    return red, green, blue


def coloured(classes: np.ndarray, white: int) -> np.ndarray:
    """Classes (h, w) -> RGB (h, w, 3), with one of them white."""
    picture = np.ones((*classes.shape, 3))
    for value in np.unique(classes):
        if value != white:
            picture[classes == value] = class_colour(int(value))
    return picture


def class_name(index: int, classes: Sequence[str]) -> str:
    return classes[index] if 0 <= index < len(classes) else str(index)


def class_legend(part: Any, found: Sequence[int], classes: Sequence[str], inches: float) -> None:
    """Below a block: a patch for each class that its panels show in colour."""
    names = [class_name(int(i), classes) for i in found]
    colours = [class_colour(int(i)) for i in found]
    patches = [Patch(facecolor=c, label=n) for c, n in zip(colours, names, strict=True)]
    if patches:
        part.legend(
            handles=patches,
            loc="outside lower center",
            ncols=legend_shape(names, max(inches, 3.6))[1],
            frameon=False,
            fontsize=7,
            handlelength=1,
            columnspacing=1,
        )
