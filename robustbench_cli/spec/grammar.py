"""Text -> objects: ``name:key=value,key=value``, and several joined by plus signs."""

from __future__ import annotations

import difflib
import re
from dataclasses import MISSING
from functools import cache
from typing import Any, get_type_hints

from robustbench_cli.errors import UsageError

from .braces import expand
from .plugin import P, parameters
from .registry import find, names
from .values import convert

_hints = cache(get_type_hints)


def split(text: str) -> list[str]:
    """``mixup:alpha=1e+0+pgd-at`` -> its parts; a plus sign joins only before a name."""
    return [part.strip() for part in re.split(r"\+(?=\s*[A-Za-z])", text)]


def read(part: str) -> tuple[str, dict[str, str]]:
    """The name in one spec and what is written of its parameters; imports and checks nothing.

    A parameter that stands without its name has the key ``""``.
    """
    name, _, given = part.strip().partition(":")
    pairs = [item.partition("=") if "=" in item else ("", "=", item) for item in _items(given)]
    return name.strip(), {k.strip().replace("_", "-"): v.strip() for k, _, v in pairs}


def family(text: str) -> str:
    """``vib:beta=0.001+mixup:alpha=1`` -> ``vib+mixup``: the names without their parameters."""
    return "+".join(map(_name, split(text)))


def _name(part: str) -> str:
    name, _, given = part.partition(":")
    return f"{name}:{given.partition(':')[0]}" if "." in name else name  # my_lab.nets:MyNet


def _items(given: str) -> list[str]:
    """``key=value,key=value``, of which a value may hold commas."""
    return re.split(r",(?=\s*[A-Za-z][\w-]*\s*=)", given) if given else []


def build(base: type[P], text: str, *, trusted: bool = True) -> P:
    """One object from its spec, for example ``pgd-at:eps=8/255,steps=7``.

    Raises:
        UsageError: unknown name or parameter, a value of the wrong type or range, or a grid.
    """
    if "{" in text and len(expand(text)) > 1:
        first, *_ = expand(text)
        raise UsageError(f"{text} is a grid, and one spec is expected here, such as {first}")
    name, _, given = text.strip().partition(":")
    name, (attribute, _, after) = name.strip(), given.partition(":")
    if "." in name or (name not in names(base.room) and attribute.isidentifier()):
        name, given = f"{name}:{attribute}", after  # my_lab.nets:MyNet
    cls = find(base, name, trusted=trusted)
    hints = _hints(cls)  # type: ignore[arg-type]
    known = {f.name: f for f in parameters(cls)}
    values: dict[str, Any] = {}
    for position, item in enumerate(_items(given)):
        key, equals, value = (part.strip() for part in item.partition("="))
        key = key.replace("-", "_")
        if position == 0 and cls.positional and (not equals or key not in known):
            key, value = cls.positional, item
        elif key not in known:
            listing = ", ".join(known).replace("_", "-") or "none"
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0].replace('_', '-')!r}? " if near else ""
            raise UsageError(
                f"{name} has no parameter {key.replace('_', '-')!r}; {hint}it has: {listing}"
            )
        if key in values:
            raise UsageError(f"{name}: {key.replace('_', '-')} is given twice")
        values[key] = convert(value, hints[key], f"{name}: {key.replace('_', '-')}")
    missing = [k for k, f in known.items() if k not in values and f.default is MISSING]
    if missing:
        raise UsageError(f"{name} needs a {missing[0]}: {name}:{missing[0].upper()}")
    return cls(**values)


def build_all(base: type[P], text: str, *, trusted: bool = True) -> list[P]:
    """Objects from ``SPEC+SPEC``, in their order."""
    return [build(base, part, trusted=trusted) for part in split(text)]
