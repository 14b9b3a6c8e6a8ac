"""What all figures share: a canvas that shows itself in a notebook, colours, panels, font sizes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from io import BytesIO
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

# Okabe and Ito's palette, told apart with every kind of colour blindness; its yellow is left out,
# because a yellow line on white cannot be seen
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")
LINES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (2, 1)))
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}


class Canvas(Figure):
    """A figure outside pyplot: nothing global, nothing to close."""

    def _repr_png_(self) -> bytes:
        picture = BytesIO()
        self.savefig(picture, format="png", dpi=110)
        return picture.getvalue()


def style() -> AbstractContextManager[None]:
    """matplotlib's defaults and ours, whatever the user's own settings are."""
    return matplotlib.style.context(["default", STYLE])


def panels(
    count: int, width: float, height: float, extra: float = 0.0, *, sharey: bool = True
) -> tuple[Canvas, list[Axes]]:
    """Panels in rows of `columns_of(count)`; inches for each, `extra` below them all."""
    columns = columns_of(count)
    rows = -(-count // columns)
    canvas = Canvas(figsize=(columns * width, rows * height + extra), layout="constrained")
    grid = canvas.subplots(rows, columns, sharey=sharey, squeeze=False)
    axes: list[Axes] = list(grid.flat)
    for unused in axes[count:]:
        unused.remove()
    return canvas, axes[:count]


def columns_of(count: int) -> int:
    """Panels side by side: at most three, and four in a square."""
    return 2 if count == 4 else min(count, 3)


def line_style(index: int) -> dict[str, Any]:
    """Colour, marker and dashes of the index-th line; the first 35 differ in colour or dashes."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[(index + index // len(COLOURS)) % len(LINES)],
    }


def legend_shape(labels: Sequence[str], inches: float) -> tuple[int, int]:
    """Rows and columns, as few rows as fit; matplotlib fills columns one by one, evenly."""
    widths = [_inches(label) + 0.7 for label in labels]
    for rows in range(1, len(labels)):
        columns = -(-len(labels) // rows)
        if sum(part.max() for part in np.array_split(widths, columns)) <= inches:
            return rows, columns
    return len(labels), 1


@lru_cache(maxsize=1024)  # outlines of letters take long, and pictures repeat their labels
def _inches(label: str) -> float:
    lines = label.split("\n")
    return (
        max(float(TextPath((0, 0), line or " ", size=8).get_extents().width) for line in lines) / 72
    )


def wrapped(text: str, width: int) -> str:
    """Broken after a comma, colon or plus sign, where a spec may be broken.

    What is longer than a line without one, such as a run's name inside a spec, is broken after a
    hyphen, or anywhere.
    """
    lines = [""]
    for piece in (part for whole in _pieces(text) for part in _fitting(whole, width)):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.strip() for line in lines)


def _fitting(piece: str, width: int) -> list[str]:
    parts = []
    while len(piece) > width > 0:
        end = piece.rfind("-", width // 2, width) + 1 or width
        parts.append(piece[:end])
        piece = piece[end:]
    return [*parts, piece]


def _pieces(text: str) -> list[str]:
    pieces = [""]
    for letter in text:
        pieces[-1] += letter
        if letter in ",:+ ":
            pieces.append("")
    return [piece for piece in pieces if piece]
