"""One table in five formats: for the screen, Markdown, LaTeX, CSV and JSON.

The first three show percent and intervals in cells; CSV and JSON hold base units, all points, and
epsilons both as text and as numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from robustbench_cli.errors import UsageError
from robustbench_cli.files import write

WIDTH = 100  # of a screen, which tables keep to where they can
SUFFIXES = {
    ".txt": "table",
    ".md": "markdown",
    ".csv": "csv",
    ".json": "json",
    ".tex": "latex",
}


@dataclass(frozen=True)
class Section:
    """Rows under one title. The first column is left-aligned, the others right-aligned."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    screen_only: frozenset[str] = frozenset()  # columns that are drawn in characters

    @property
    def width(self) -> int:
        """Of the widest line on the screen."""
        return max(map(len, _aligned(self)))

    def without_screen(self) -> Section:
        kept = [i for i, name in enumerate(self.header) if name not in self.screen_only]
        rows = tuple(tuple(row[i] for i in kept) for row in self.rows)
        return Section(self.title, tuple(self.header[i] for i in kept), rows)


@dataclass(frozen=True)
class Table:
    """What a report shows; printed, it is plain text.

    `caption` and `footer` explain the numbers. `frame` is the CSV and `document` the JSON. `notes`
    are warnings, one line each, for whoever prints the table to show beside it.
    """

    caption: tuple[str, ...]
    sections: tuple[Section, ...]
    footer: tuple[str, ...]
    frame: pd.DataFrame
    document: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        blocks = ["\n".join(self.caption)]
        blocks += ["\n".join([s.title, *_aligned(s)]) for s in self.sections]
        return "\n\n".join([*blocks, *filter(None, ["\n".join(self.footer)])])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return _html(self)

    def render(self, form: str = "table") -> str:
        """As text in one of `SUFFIXES`' formats, ending in a newline."""
        if form not in _FORMATS:
            raise UsageError(f"no format {form!r}; type --format {'|'.join(_FORMATS)}")
        return _FORMATS[form](self).rstrip("\n") + "\n"

    def save(self, path: Path) -> None:
        """In the format that the suffix names."""
        write(path, self.render(format_of(path)))


def format_of(path: Path) -> str:
    """
    Raises:
        UsageError: a suffix that names no format.
    """
    if path.suffix not in SUFFIXES:
        listing = ", ".join(SUFFIXES)
        raise UsageError(f"{path}: no table format {path.suffix!r}; expected one of {listing}")
    return SUFFIXES[path.suffix]


def _aligned(section: Section) -> list[str]:
    lines = [section.header, *section.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(section.header))]
    return [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    ]


def _markdown(table: Table) -> str:
    blocks = ["\n".join(table.caption)]
    for section in map(Section.without_screen, table.sections):
        rule = ["---", *["---:"] * (len(section.header) - 1)]
        lines = [section.header, rule, *section.rows]
        cells = [[cell.replace("|", r"\|") for cell in line] for line in lines]
        blocks += [f"**{section.title}**", "\n".join(f"| {' | '.join(c)} |" for c in cells)]
    blocks += ["\n".join(table.footer), "\n".join(f"- {note}" for note in table.notes)]
    return "\n\n".join(filter(None, blocks))


def _latex(table: Table) -> str:
    lines = [f"% {line}" for line in (*table.caption, *table.footer, *table.notes)]
    lines += [r"% \usepackage{booktabs}"]
    sections = map(Section.without_screen, table.sections)
    for header, alike in groupby(sections, key=lambda section: section.header):
        columns = "l" + "r" * (len(header) - 1)
        lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _latex_row(header)]
        for section in alike:
            title = rf"\multicolumn{{{len(header)}}}{{l}}{{\emph{{{_latex_text(section.title)}}}}}"
            lines += [r"\midrule", rf"{title} \\", *map(_latex_row, section.rows)]
        lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines)


def _latex_row(cells: tuple[str, ...]) -> str:
    return " & ".join(map(_latex_text, cells)) + r" \\"


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: rf"\{c}" for c in "&%$#_{}"},
    **{c: rf"{{{c}}}" for c in "[]"},  # after a line break, [ would open an option
    "L∞": r"$L_\infty$",
    "L2": r"$L_2$",
    "ε": r"$\varepsilon$",
    "±": r"$\pm$",
    ">": r"$>$",
    "<": r"$<$",
    "–": "--",
}
_LATEX_PATTERN = re.compile("|".join(map(re.escape, _LATEX)))


def _latex_text(text: str) -> str:
    return _LATEX_PATTERN.sub(lambda found: _LATEX[found[0]], text)


def _html(table: Table) -> str:
    parts = [f"<p>{'<br>'.join(map(escape, table.caption))}</p>"]
    for section in table.sections:
        head = "".join(f"<th>{escape(name)}</th>" for name in section.header)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in section.rows
        )
        title = f"<caption>{escape(section.title)}</caption>"
        parts.append(f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    parts += [f"<p><small>{'<br>'.join(map(escape, table.footer))}</small></p>"] * bool(
        table.footer
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
    return "\n".join([*parts, f"<ul>{notes}</ul>" if notes else ""])


def _csv(table: Table) -> str:
    return str(table.frame.to_csv(index=False, lineterminator="\n"))


def _json(table: Table) -> str:
    return json.dumps(
        {**table.document, "notes": table.notes}, indent=2, ensure_ascii=False, allow_nan=False
    )


_FORMATS: dict[str, Callable[[Table], str]] = {
    "table": str,
    "markdown": _markdown,
    "csv": _csv,
    "json": _json,
    "latex": _latex,
}


def joined(table: Table, others: Iterable[Table]) -> Table:
    """One below the other, ending as the first ends; as CSV, the first alone."""
    listed = list(others)
    document: dict[str, Any] = {}
    for each in (*listed, table):
        document |= each.document
    return replace(
        table,
        caption=tuple(line for each in (table, *listed) for line in each.caption),
        sections=tuple(section for each in (table, *listed) for section in each.sections),
        footer=tuple(line for each in (*listed, table) for line in each.footer),
        document=document,
    )
