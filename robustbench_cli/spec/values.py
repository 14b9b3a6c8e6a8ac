"""Text <-> scalars: 0.3, 8/255, true, none."""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from math import isfinite
from typing import Any, Literal, Union, get_args, get_origin

from robustbench_cli.errors import UsageError

_NUMBER = re.compile(
    r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?(/0{0,9}[1-9]\d{0,9})?", re.ASCII
)


@lru_cache(maxsize=4096)
def number(text: str) -> Fraction:
    """``8/255``, ``0.03`` or ``1e-3``, exactly."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        raise UsageError(f"{text!r} is no number; write it like 0.03, 1e-3 or 8/255")
    top, _, bottom = text.partition("/")
    return Fraction(top) / Fraction(bottom or 1)


def shorten(value: object) -> str:
    """The shortest spelling that :func:`build` reads back as the same value: 0.3, 8/255, true."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        plain = repr(value).removesuffix(".0")
        if not isfinite(value):
            return plain
        pixels = f"{round(value * 255)}/255"
        return pixels if len(plain) > len(pixels) and float(number(pixels)) == value else plain
    return "none" if value is None else str(value)


def convert(text: str, kind: Any, where: str) -> Any:
    """A scalar of the annotated type: int, float, bool, str, a Literal, or one of them or None."""
    if get_origin(kind) in (Union, types.UnionType):
        if text == "none":
            return None
        (kind,) = (a for a in get_args(kind) if a is not type(None))
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise UsageError(f"{where} is one of {', '.join(get_args(kind))}; got {text!r}")
        return text
    try:
        return _CONVERTERS[kind](text)
    except (ValueError, KeyError, UsageError) as e:
        expected = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
        raise UsageError(f"{where} must be {expected}; got {text!r}") from e


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,12}", text):
        raise ValueError(text)
    return int(text)


_CONVERTERS: dict[type, Callable[[str], Any]] = {
    int: _whole,
    float: lambda s: float(number(s)),
    bool: {"true": True, "false": False, "1": True, "0": False}.__getitem__,
    str: str,
}
