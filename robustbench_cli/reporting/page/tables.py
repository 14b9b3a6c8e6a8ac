"""Sections of a report's tables as HTML tables, which the page's script can sort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element

from robustbench_cli.reporting.formats.table import Section, Table

from .element import el

_VERDICTS = {"supported": "good", "contradicted": "bad", "failure": "bad", "warning": "doubt"}
_VERDICTS |= {"pass": "good", "not supported": "doubt"}

Groups = Mapping[str, int]
"""Label -> number of the group; rows and lines of one group are highlighted together."""


def whole(table: Table, groups: Groups) -> list[Element]:
    """Caption, sections and footer."""
    return [
        *paragraph(table.caption),
        *(section_table(section, groups) for section in table.sections),
        *paragraph(table.footer, "small"),
    ]


def section_table(section: Section, groups: Groups | None = None) -> Element:
    """The first cell of a row names it; a row that is called as a group belongs to it."""
    shown, known = section.without_screen(), groups or {}
    head = el("tr", *(el("th", name, scope="col") for name in shown.header))
    rows = [_row(cells, known.get(cells[0])) for cells in shown.rows]
    title = " · ".join(shown.title.splitlines())
    table = el("table", el("caption", title), el("thead", head), el("tbody", *rows))
    table.set("class", "sortable")
    return el("div", table, class_="scroll", role="region", aria_label=title, tabindex=0)


def paragraph(lines: Iterable[str], kind: str | None = None) -> list[Element]:
    """Lines below each other; nothing where there are none."""
    listed = list(lines)
    parts = [part for line in listed for part in (el("br"), line)][1:]
    return [el("p", *parts, class_=kind)] if listed else []


def _row(cells: tuple[str, ...], group: int | None) -> Element:
    first, *others = cells
    return el(
        "tr",
        el("th", first, scope="row"),
        *(el("td", cell, class_=_VERDICTS.get(cell)) for cell in others),
        data_group=group,
    )
