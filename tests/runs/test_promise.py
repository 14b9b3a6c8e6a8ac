"""What the README promises of a run directory is what its schemas check."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustbench_cli.runs import analysed, evaluation, run
from robustbench_cli.runs.records import ANALYSED, EVALUATION, RUN, TRANSFER
from robustbench_cli.runs.rows import ATTACKED, CERTIFIED, HISTORY, TRANSFERRED
from robustbench_cli.schema import Column, Entry

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SECTION = README.partition("## What a run directory promises\n")[2].partition("\n## ")[0]
ROWS = [line for line in SECTION.splitlines() if line.startswith("|")]
FILES, COLUMNS = (part.splitlines() for part in "\n".join(ROWS).split("| column | holds |"))
TABLES = (ATTACKED, CERTIFIED, TRANSFERRED, HISTORY)


def row(column: Column) -> str:
    optional = " (optional)" * column.optional
    return f"| `{column.name}`{optional} | {column.expected} | {column.about} |"


def test_every_column_is_described_as_it_is_checked_and_no_other() -> None:
    described: dict[str, Column] = {}
    for column in (column for table in TABLES for column in table.columns):
        described.setdefault(column.name, column)
    assert COLUMNS[2:] == [row(column) for column in described.values()]


@pytest.mark.parametrize(
    ("file", "entries"),
    [
        ("`run.json`", RUN),
        ("`attacks/*.json`", EVALUATION),
        ("`transfer/*`", TRANSFER),
        ("`analyses/*.json`", ANALYSED),
    ],
)
def test_what_a_record_must_hold_is_named(file: str, entries: tuple[Entry, ...]) -> None:
    (line,) = (line for line in FILES if line.startswith(f"| {file} |"))
    needed = [entry.name for entry in entries if not entry.optional and entry.name != "format"]
    assert needed
    assert [name for name in needed if f"`{name}`" not in line] == []


def test_the_format_is_that_of_every_record() -> None:
    for module in (analysed, evaluation, run):
        assert f"format {module.FORMAT}," in SECTION
