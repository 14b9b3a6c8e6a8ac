"""Sections of a report's tables as HTML tables, which the page's script can sort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from xml.etree.ElementTree import Element

from robustbench_cli.reporting.formats.table import Section, Table

from .element import el

_VERDICTS = {"supported": "good", "contradicted": "bad", "failure": "bad", "warning": "doubt"}
_VERDICTS |= {"pass": "good", "not supported": "doubt"}

_LONG = 40  # letters
_NUMERIC = tuple("0123456789+−-><±")

Groups = Mapping[str, int]
"""Label -> number of the group; rows and lines of one group are highlighted together."""


def whole(table: Table, groups: Groups) -> list[Element]:
    """Caption, sections and footer."""
    return [
        *paragraph(table.caption),
        side_by_side(table.sections, groups),
        *paragraph(table.footer, "small"),
    ]


def side_by_side(sections: Iterable[Section], groups: Groups | None = None) -> Element:
    """As many in a line as there is room for."""
    return el("div", *(section_table(each, groups) for each in sections), class_="tables")


def section_table(section: Section, groups: Groups | None = None) -> Element:
    """The first cell of a row names it; a row that is called as a group belongs to it."""
    shown, known = section.without_screen(), groups or {}
    kinds = [_kind(column) for column in zip(*shown.rows, strict=True)] or [None] * len(
        shown.header
    )
    named = zip(shown.header, kinds, strict=True)
    head = el("tr", *(el("th", name, scope="col", class_=kind) for name, kind in named))
    rows = [_row(cells, kinds, known.get(cells[0])) for cells in shown.rows]
    title = " · ".join(shown.title.splitlines())
    table = el("table", el("caption", title), el("thead", head), el("tbody", *rows))
    table.set("class", "sortable")
    return el("div", table, class_="scroll", role="region", aria_label=title, tabindex=0)


def paragraph(lines: Iterable[str], kind: str | None = None) -> list[Element]:
    """Lines below each other; nothing where there are none."""
    listed = list(lines)
    parts = [part for line in listed for part in (el("br"), line)][1:]
    return [el("p", *parts, class_=kind)] if listed else []


def _row(cells: Sequence[str], kinds: Sequence[str | None], group: int | None) -> Element:
    first, *others = cells
    below = zip(others, kinds[1:], strict=True)
    return el(
        "tr",
        el("th", first, scope="row"),
        *(el("td", cell, class_=_VERDICTS.get(cell, kind)) for cell, kind in below),
        data_group=group,
    )


def _kind(column: Sequence[str]) -> str | None:
    """Long texts are broken into lines, words stand left, numbers right."""
    if max(map(len, column)) > _LONG:
        return "text"
    return None if any(cell[:1] in _NUMERIC for cell in column) else "words"
