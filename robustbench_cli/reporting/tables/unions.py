"""Sections and entries of unions over norms, which never share a column with a single norm."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from robustbench_cli.reporting.formats.table import Section
from robustbench_cli.reporting.numbers.unions import Jointly

from .cells import NORMS, digits_for, percent, view_text

UNIONS_EXPLAINED = (
    "union over norms: whether an image withstands all of these balls; lower than each of them by",
    "its nature, and to be compared with nothing but the same union.",
)


def union_sections(found: Sequence[Jointly], by: str) -> list[Section]:
    """One for each union and view; of single runs also how many images only one ball breaks."""
    sections = []
    for (union, view), group in groupby(found, key=lambda each: (str(each.union), each.view)):
        alike = list(group)
        digits = digits_for(min(each.n for each in alike))
        columns = {
            by.replace("_", "-"): [each.label for each in alike],
            "clean": [percent(each.clean, digits) for each in alike],
            "under the union": [percent(each.accuracy, digits) for each in alike],
        }
        if all(len(each.members) == 1 for each in alike):
            columns |= _counts(alike)
        title = f"union over norms, {union}: per sample, {view_text(view)}"
        rows = tuple(zip(*columns.values(), strict=True))
        sections.append(Section(title, tuple(columns), rows))
    return sections


def _counts(alike: Sequence[Jointly]) -> dict[str, list[str]]:
    """Images, right when unchanged, that are broken: by one ball alone, by several."""
    balls = alike[0].union.balls
    columns = {
        f"{NORMS.get(ball.written, ball.written)} alone": [
            str(each.members[0].alone[i]) for each in alike
        ]
        for i, ball in enumerate(balls)
    }
    several = [str(each.members[0].several) for each in alike]
    return {**columns, "several": several, "images": [str(each.n) for each in alike]}
