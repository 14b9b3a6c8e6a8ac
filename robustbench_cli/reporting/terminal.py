"""Decay curves as text, for a terminal, which shows no pictures: lines of Braille dots, or ASCII.

A curve has a letter, which stands along its line and in the legend, so that colours are no more
than a help. Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from .numbers.summary import Curve
from .page.curves import ticks
from .selection import Selection
from .tables.cells import NORMS, units

MOST = 8  # lines in a panel
NARROWEST = 36  # columns
_LETTERS = "ABCDEFGH"
_COLOURS = (34, 31, 32, 35, 36, 33, 94, 91)  # of ANSI terminals
_HEIGHT, _LEFT = 11, 6  # rows of a panel; columns before it
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of U+2800, by column and row
_ASCII = {"ε": "eps", "∞": "inf", "│": "|", "┤": "+", "└": "+", "─": "-", "┬": "+", "·": "-"}


def decay_text(
    selection: Selection, width: int, *, unicode: bool = True, colour: bool = False
) -> str:
    """A panel for each attack, `width` columns wide, 36 at least, and a legend.

    Raises:
        RunError, UsageError: as of the curves of a selection.
    """
    labels = list(dict.fromkeys(curve.label for curve in selection.curves))
    shown = (selection.highlighted(labels) or labels)[:MOST]
    look = _Look(shown, max(width, NARROWEST) - _LEFT, unicode, colour)
    panels = [
        _panel(selection, [curve for curve in alike if curve.label in shown], look)
        for _, alike in groupby(selection.curves, key=lambda curve: (curve.attack, curve.view))
    ]
    legend = [look.painted(f"{_LETTERS[i]} {label}", i) for i, label in enumerate(shown)]
    if len(shown) < len(labels):
        legend.append(f"{len(shown)} of {len(labels)} lines; others by --highlight NAME")
    text = "\n\n".join([*filter(None, panels), "\n".join(legend)])
    return text if unicode else "".join(_ASCII.get(letter, letter) for letter in text)


@dataclass(frozen=True)
class _Look:
    labels: Sequence[str]
    columns: int
    unicode: bool
    colour: bool

    def painted(self, text: str, number: int | None) -> str:
        if not self.colour or number is None:
            return text
        return f"\033[{_COLOURS[number]}m{text}\033[0m"


@dataclass
class _Canvas:
    """Cells of a panel; `fine`: dots of a cell, across and down."""

    look: _Look
    cells: dict[tuple[int, int], tuple[str, int | None]] = field(default_factory=dict)
    dots: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def fine(self) -> tuple[int, int]:
        return (2, 4) if self.look.unicode else (1, 1)

    def line(self, x: np.ndarray, y: np.ndarray, number: int) -> None:
        """Through points of [0, 1] x [0, 1], x rising; nothing beyond the last."""
        across, down = self.fine
        at = np.arange(self.look.columns * across) / (self.look.columns * across - 1)
        at = at[at <= x[-1] * (1 + 1e-9)]
        rows = np.rint((1 - np.interp(at, x, y)) * (_HEIGHT * down - 1)).astype(int)
        for column, (before, row) in enumerate(zip([rows[0], *rows], rows, strict=False)):
            step = 1 if row >= before else -1
            for each in range(before + step * (before != row), row + step, step):
                self._dot(column, each, number)
        apart = max(24, 3 * len(self.look.labels))
        first = 2 + number * apart // max(len(self.look.labels), 1)
        for column in range(first, len(at) // across, apart):
            row = int(rows[column * across]) // down
            self.cells[row, column] = _LETTERS[number], number

    def _dot(self, column: int, row: int, number: int) -> None:
        across, down = self.fine
        place = row // down, column // across
        if self.cells.get(place, ("", None))[0].isalpha():
            return
        if not self.look.unicode:
            self.cells[place] = ".", number
            return
        self.dots[place] = self.dots.get(place, 0) | _DOTS[column % across][row % down]
        self.cells[place] = chr(0x2800 + self.dots[place]), number

    def level(self, y: float) -> None:
        """A dotted line behind all others."""
        row = round((1 - y) * (_HEIGHT - 1))
        for column in range(0, self.look.columns, 2):
            self.cells.setdefault((row, column), ("·", None))

    def rows(self) -> Iterator[str]:
        for row in range(_HEIGHT):
            places = [(row, column) for column in range(self.look.columns)]
            cells = [self.cells.get(place, (" ", None)) for place in places]
            alike = groupby(cells, key=lambda cell: cell[1])
            parts = (self.look.painted("".join(c for c, _ in part), n) for n, part in alike)
            yield "".join(parts).rstrip()


def _panel(selection: Selection, curves: Sequence[Curve], look: _Look) -> str:
    if not curves:
        return ""
    first, reach = curves[0], max(float(curve.reach) for curve in curves) or 1.0
    canvas = _Canvas(look)
    for curve in curves:
        at = selection.shown(curve)
        x = np.array([float(curve.epsilons[i]) / reach for i in at])
        y = np.array([curve.accuracy[i].value for i in at])
        canvas.line(x, y, look.labels.index(curve.label))
    count = first.classes if len({curve.classes for curve in curves}) == 1 else None
    if count:
        canvas.level(1 / count)
    norm = NORMS.get(first.norm, first.norm)
    title = f"{first.attack}, {norm}" + ("" if first.view == "deployed" else f", {first.view}")
    chance = f"  (· chance: {100 / count:.3g} %)" if count else ""
    names = {0: "100", _HEIGHT // 2: "50", _HEIGHT - 1: "0"}
    sides = [
        f"{names.get(i, ''):>{_LEFT - 2}} {'┤' if i in names else '│'}" for i in range(_HEIGHT)
    ]
    axis, words = _below(curves, reach, look.columns)
    return "\n".join(
        [
            title,
            f"accuracy in %{chance}",
            *(side + row for side, row in zip(sides, canvas.rows(), strict=True)),
            " " * (_LEFT - 1) + "└" + axis,
            " " * _LEFT + words,
            " " * _LEFT + f"ε ({norm}, {units([first.norm])})".center(look.columns).rstrip(),
        ]
    )


def _below(curves: Sequence[Curve], reach: float, columns: int) -> tuple[str, str]:
    """The axis with its marks, and their numbers, as many as do not touch."""
    axis, words = ["─"] * columns, ""
    for value, text in ticks(curves, reach):
        place = round(value / reach * (columns - 1))
        begin = min(max(place - len(text) // 2, 0), columns - len(text))
        if words and begin <= len(words):
            continue
        axis[place] = "┬"
        words = words.ljust(begin) + text
    return "".join(axis), words
