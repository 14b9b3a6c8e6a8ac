"""What a stored table or document must hold: declared once, checked by whoever reads it.

A schema is the promise that a file makes to other programs. Columns and keys that it does not name
are no part of it, and are let through: later versions may add some without a new format.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, Literal, TypeGuard

import numpy as np
import pandas as pd

from .errors import RunError

Kind = Literal["whole", "number", "text", "flag"]
_STORED = {"whole": "iu", "number": "fiu", "flag": "b"}  # numpy's letters for columns of each kind
_MOST = sys.float_info.max
_WORDS = {"whole": "a whole number", "number": "a number", "text": "text", "flag": "True or False"}


@dataclass(frozen=True)
class Column:
    """One column: what its values are, and what they mean.

    `low`, `high`: both included; infinity is refused in every column. `empty`: whether a value may
    be missing, which numbers write as NaN or as nothing. `optional`: the whole column may be.
    """

    name: str
    kind: Kind
    about: str
    low: float = -inf
    high: float = inf
    empty: bool = False
    optional: bool = False

    @property
    def expected(self) -> str:
        """In words: ``a whole number from 0 on``."""
        bounds = {
            (False, False): "",
            (True, False): f" from {self.low:g} on",
            (False, True): f" up to {self.high:g}",
            (True, True): f" from {self.low:g} to {self.high:g}",
        }[isfinite(self.low), isfinite(self.high)]
        return f"{_WORDS[self.kind]}{bounds}{' or nothing' * self.empty}"

    def wrong(self, values: pd.Series) -> np.ndarray:
        """(rows,) True where a value is none of this column's."""
        missing = values.isna().to_numpy()
        if self.kind == "text":
            return missing & np.bool_(not self.empty)
        if values.dtype.kind in _STORED[self.kind]:
            if self.kind == "flag":
                return np.zeros(len(values), bool)
            numbers = values.to_numpy()
        else:
            written = values.astype(str)  # makes endless digits infinity, not an OverflowError
            numbers = pd.to_numeric(written, errors="coerce").to_numpy(float)
            if self.kind == "flag" or values.dtype.kind == "b":
                return np.array([not isinstance(v, bool) or self.kind != "flag" for v in values])
            missing = missing & np.isnan(numbers)
        outside = ~(np.isfinite(numbers) & (numbers >= self.low) & (numbers <= self.high))
        if self.kind == "whole" and numbers.dtype.kind == "f":
            outside |= numbers != np.round(numbers)
        if numbers.dtype.kind == "f" and (self.kind == "whole" or values.dtype.kind != "f"):
            outside |= np.abs(numbers) >= 2**63  # digits that 64 bits do not hold
        wrong: np.ndarray = outside & ~(missing & self.empty)
        return wrong


@dataclass(frozen=True)
class Schema:
    """The columns of a table. `key`: the columns that no two rows share; empty for none."""

    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    def check(self, table: pd.DataFrame, where: object, remedy: str) -> None:
        """
        Args:
            where: the file, and remedy: what to do about it; both for the message.

        Raises:
            RunError: a column is missing, a value is not what its column holds, or two rows share
                a key; the first of these, in one line.
        """
        self.check_columns(table, where, remedy)
        if self.key and (twice := table.duplicated(list(self.key)).to_numpy()).any():
            row = int(twice.argmax())
            held = ", ".join(f"{name} {table[name].iloc[row]}" for name in self.key)
            raise RunError(
                f"{where}: {short(held)} stands there twice, again in row {row + 1}; {remedy}"
            )

    def check_columns(self, table: pd.DataFrame, where: object, remedy: str) -> None:
        """As `check`, for a reader that sees in another way that no two rows share a key."""
        for column in self.columns:
            if column.name not in table:
                if column.optional:
                    continue
                found = ", ".join(map(str, table)) or "none"
                raise RunError(f"{where}: no column {column.name!r} in: {short(found)}; {remedy}")
            values = table[column.name]
            wrong = column.wrong(values)
            if wrong.any():
                row = int(wrong.argmax())
                value = values.iloc[row]
                found = "nothing" if pd.isna(value) else short(str(value))
                raise RunError(
                    f"{where}: {column.name} is {found} in row {row + 1}, "
                    f"expected {column.expected}; {remedy}"
                )


def short(text: str) -> str:
    """One line that fits into another."""
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:77]}..."


@dataclass(frozen=True)
class Entry:
    """One key of a JSON object.

    `within`: the keys of its own, where it is an object or a list of objects.
    `kind` is one of `JSON`. `empty`: whether null may stand there, or an object without keys.
    """

    name: str
    kind: str
    about: str
    within: tuple[Entry, ...] = ()
    empty: bool = False
    optional: bool = False


def _number(value: object) -> bool:
    return _real(value) and isfinite(value)


def _real(value: object) -> TypeGuard[float]:
    return isinstance(value, float) or _whole(value)


def _whole(value: object) -> bool:  # those of JSON may be too long for a float to hold
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST


def _list_of(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


JSON: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "whole number": _whole,
    "number": _number,
    "number or NaN": _real,
    "true or false": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "list of texts": _list_of(lambda value: isinstance(value, str)),
    "list of whole numbers": _list_of(_whole),
    "list of numbers": _list_of(_number),
    "list of objects": _list_of(lambda value: isinstance(value, dict)),
    "object of numbers": lambda value: (
        isinstance(value, dict) and all(map(_number, value.values()))
    ),
    "object of objects": lambda value: (
        isinstance(value, dict) and all(isinstance(v, dict) for v in value.values())
    ),
}
"""The kinds of values that documents hold, by name."""


def check_document(
    document: Mapping[str, Any], entries: tuple[Entry, ...], where: object, remedy: str
) -> None:
    """
    Raises:
        RunError: a key is missing or its value is of another kind; the first, in one line.
    """
    for entry in entries:
        if entry.name not in document:
            if entry.optional:
                continue
            raise RunError(f"{where} is damaged: it has no {entry.name!r}; {remedy}")
        value = document[entry.name]
        if entry.empty and (value is None or value == {}):
            continue
        if not JSON[entry.kind](value):
            article = "an" if entry.kind.startswith("object") else "a"
            raise RunError(
                f"{where} is damaged: {entry.name} is {short(repr(value))}, "
                f"expected {article} {entry.kind}{' or null' * entry.empty}; {remedy}"
            )
        for inner in value if isinstance(value, list) else [value] if entry.within else []:
            if entry.within:
                check_document(inner, entry.within, where, remedy)
