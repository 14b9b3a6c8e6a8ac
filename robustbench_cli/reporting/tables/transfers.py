"""The transfer table: sources down, targets across, the white-box cells marked."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from textwrap import wrap

from robustbench_cli.reporting.formats.document import transfer_document, transfer_frame
from robustbench_cli.reporting.formats.table import WIDTH, Section, Table
from robustbench_cli.reporting.numbers.transfers import Cell
from robustbench_cli.reporting.selection import Selection

from .cells import NONE, NORMS, digits_for

BOTH = "accuracy on images both classify correctly"
ALL = "accuracy on all images"
TARGET = "images of other classes taken for the class aimed at"


def transfer_table(selection: Selection) -> Table:
    """For each attack and epsilon: what the transfer broke, and what the target gets right."""
    cells = selection.cells
    sections: list[Section] = []
    for (attack, eps), alike in groupby(cells, key=lambda cell: (cell.attack, cell.eps)):
        listed = list(alike)
        head = f"{attack}, {NORMS.get(listed[0].norm, listed[0].norm)}, ε={eps}"
        shown = (BOTH, ALL, TARGET) if any(cell.aimed for cell in listed) else (BOTH, ALL)
        sections += [_section(f"{head}: {what}", listed, what) for what in shown]
    footer = ["Rows: crafted on; columns: shown to."]
    targets = axes_of(cells)[1]
    if max(section.width for section in sections) > WIDTH:
        numbered = [f"{i}: {target}" for i, target in enumerate(targets, 1)]
        footer += wrap(f"Columns {'; '.join(numbered)}.", WIDTH)
        sections = [_numbered(section, targets) for section in sections]
    if any(cell.white_box for cell in cells):
        footer.append("*: white box, the source is the target.")
    if any(cell.pairs > 1 for cell in cells):
        footer.append("Means over pairs of runs.")
    return Table(
        caption=("Accuracy in % of the target on adversarials crafted on the source.",),
        sections=tuple(sections),
        footer=tuple(footer),
        frame=transfer_frame(cells),
        document=transfer_document(cells),
    )


def _numbered(section: Section, targets: list[str]) -> Section:
    """Numbers for the names of columns that would not fit a screen."""
    numbers = (str(targets.index(name) + 1) for name in section.header[1:])
    return replace(section, header=(section.header[0], *numbers))


def value_of(cell: Cell, what: str = BOTH) -> float:
    return {BOTH: cell.accuracy_both, TARGET: cell.at_target}.get(what, cell.accuracy)


def text_of(cells: list[Cell], what: str = BOTH) -> list[str]:
    """One text for the transfer and one, with a star, for the white box of the same pair."""
    texts = []
    for cell in sorted(cells, key=lambda cell: cell.white_box):
        value, digits = value_of(cell, what), digits_for(cell.n // cell.pairs)
        shown = NONE if value != value else f"{100 * value:.{digits}f}"
        texts.append(shown + "*" * cell.white_box)
    return texts


def axes_of(cells: list[Cell]) -> tuple[list[str], list[str]]:
    """Sources and targets in one order, so that a group meets itself on the diagonal."""
    sources = list(dict.fromkeys(cell.source for cell in cells))
    targets = dict.fromkeys(cell.target for cell in cells)
    return sources, [s for s in sources if s in targets] + [t for t in targets if t not in sources]


def _section(title: str, cells: list[Cell], what: str) -> Section:
    sources, targets = axes_of(cells)
    rows = []
    for source in sources:
        row = [source]
        for target in targets:
            here = [c for c in cells if (c.source, c.target) == (source, target)]
            row.append(" / ".join(text_of(here, what)) or NONE)
        rows.append(tuple(row))
    return Section(title, ("source \\ target", *targets), tuple(rows))
