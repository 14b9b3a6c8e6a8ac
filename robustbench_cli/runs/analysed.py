"""What an analysis found in one network: a tidy table and the numbers that sum it up; no torch."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from math import isnan, nan
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from robustbench_cli.errors import RunError
from robustbench_cli.files import digest, read_json, write_json

from .evaluation import file_name, save_rows
from .records import ANALYSED, check_record

FORMAT = 1
Unit = Literal["share", "pixels", "degrees", "count", "plain"]
_FLAGS = {"True": True, "False": False}
_KINDS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "i": lambda text: text.astype("int64"),
    "f": lambda text: text.replace("", "nan").astype(float),
    "b": lambda text: text.map(_FLAGS.__getitem__).astype(bool),
    "O": lambda text: text,
}
"""How each kind of column (numpy's letter) is read back from text."""


@dataclass(frozen=True)
class Number:
    """One number that sums up a table; reports average it over seeds.

    `value`: NaN where the table says nothing about it. `of`: for a share, over how many independent
    items, which gives a single run its interval.
    """

    name: str
    value: float
    unit: Unit = "plain"
    of: int | None = None


@dataclass(frozen=True)
class Analysed:
    """One analysis of one network.

    `table` is tidy; the docstring of the analysis says what its columns mean. `record` holds
    everything else: parameters, cost, versions, and `identity`, what the table depends on.
    """

    analysis: str
    table: pd.DataFrame
    numbers: tuple[Number, ...]
    record: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        """The number called `name`."""
        return {number.name: number.value for number in self.numbers}[name]

    def save(self, folder: Path) -> Path:
        """Write the table, then the record that vouches for it; returns the record's path."""
        name = file_name(self.record.get("identity", {"analysis": self.analysis}))
        rows, record = folder / f"{name}.csv.gz", folder / f"{name}.json"
        save_rows(self.table, rows)
        columns = {str(c): _kind(self.table[c]) for c in self.table}
        about = {
            "format": FORMAT,
            "analysis": self.analysis,
            "numbers": [_written(number) for number in self.numbers],
            "columns": columns,
            "rows": rows.name,
            "rows_digest": digest(rows),
        }
        write_json(record, about | self.record | about)  # a record that was read holds them, too
        return record

    @classmethod
    def load(cls, path: Path) -> Analysed:
        """From the path of the record.

        Raises:
            RunError: damaged, or table and record do not belong together.
        """
        record = read_json(path)
        check_record(record, ANALYSED, FORMAT, path, "delete it and run again")
        try:
            rows = path.parent / Path(record["rows"]).name
            if digest(rows) != record["rows_digest"]:
                raise RunError(f"{rows} is not what {path.name} describes; delete both, run again")
            text = pd.read_csv(rows, dtype=str, keep_default_na=False)
            columns = record["columns"]
            if list(text) != list(columns):
                raise ValueError(
                    f"columns {', '.join(map(str, text))}, expected {', '.join(columns)}"
                )
            table = pd.DataFrame({c: _KINDS[kind](text[c]) for c, kind in columns.items()})
            numbers = tuple(map(_read, record["numbers"]))
            return cls(record["analysis"], table, numbers, record)
        except OSError as e:
            raise RunError(f"cannot read {path}: {e.strerror or e}; delete it, run again") from e
        except (KeyError, TypeError, ValueError, EOFError, AttributeError, zlib.error) as e:
            raise RunError(f"{path} is damaged ({e}); delete it and run again") from e


def _kind(column: pd.Series) -> str:
    kind = str(column.dtype.kind)
    return kind if kind in "ifb" else "O"


def _written(number: Number) -> dict[str, Any]:
    return {**asdict(number), "value": None if isnan(number.value) else number.value}


def _read(entry: dict[str, Any]) -> Number:
    value = nan if entry["value"] is None else float(entry["value"])
    number = Number(**{**entry, "value": value})
    if number.unit not in get_args(Unit):
        raise ValueError(f"unit {number.unit!r}")
    return number
