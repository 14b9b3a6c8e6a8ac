"""Text <-> objects: ``name:key=value,key=value`` names a plugin and sets its parameters.

A plugin is a dataclass in a file of its own; the file's name is the plugin's name and the folder's
listing is the registry. ``my_lab.nets:MyNet:width=3`` names a class of the user's own.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import re
import sys
import types
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
from fractions import Fraction
from functools import cache
from math import isfinite
from pathlib import Path
from typing import (
    Any,
    ClassVar,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from .errors import UsageError

ROOMS = {
    "methods": "training.methods",
    "attacks": "evaluation.attacks",
    "models": "models.architectures",
    "datasets": "data.datasets",
    "figures": "reporting.figures",
    "checks": "trust.checks",
    "signals": "evaluation.signals",
}
"""What ``--list`` lists: the word, and the folder whose files it lists."""

_NUMBER = re.compile(
    r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?(/0{0,9}[1-9]\d{0,9})?", re.ASCII
)


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


def param(
    default: Any,
    about: str,
    *,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """A dataclass field with a line of explanation and inclusive bounds (None: open)."""
    return field(default=default, metadata={"about": about, "low": low, "high": high})


@dataclass(kw_only=True)
class Plugin:
    """An object that can be written as a spec. Parameters are its fields, and scalars."""

    room: ClassVar[str]  # a key of ROOMS
    positional: ClassVar[str | None] = None  # the parameter that may stand without its name

    def __post_init__(self) -> None:
        for f in parameters(type(self)):
            value, low, high = getattr(self, f.name), f.metadata.get("low"), f.metadata.get("high")
            if isinstance(value, (int, float)) and not (
                (low is None or value >= low) and (high is None or value <= high)
            ):
                raise UsageError(
                    f"{self.name}: {f.name.replace('_', '-')}={shorten(value)} is outside "
                    f"[{'-inf' if low is None else shorten(low)}, "
                    f"{'inf' if high is None else shorten(high)}]"
                )

    @classmethod
    def title(cls) -> str:
        """The name of the file, or ``module:Class`` for a user's own."""
        package, _, name = cls.__module__.rpartition(".")
        if package == f"{__package__}.{ROOMS[cls.room]}":
            return name.replace("_", "-")
        return f"{cls.__module__}:{cls.__name__}"

    @property
    def name(self) -> str:
        return self.title()

    def __str__(self) -> str:
        given: list[str] = []
        for f in parameters(type(self)):
            value = getattr(self, f.name)
            if f.name == self.positional:
                given.insert(0, shorten(value))
            elif value != f.default:
                given.append(f"{f.name.replace('_', '-')}={shorten(value)}")
        return ":".join([self.name, ",".join(given)] if given else [self.name])


P = TypeVar("P", bound=Plugin)


def parameters(cls: type[Plugin]) -> list[Field[Any]]:
    """The fields a spec may set."""
    return [f for f in fields(cls) if f.init]


@cache
def names(room: str) -> tuple[str, ...]:
    """Every plugin of a room: the files of its folder."""
    folder = Path(__file__).parent / ROOMS[room].replace(".", "/")
    stems = [path.stem for path in folder.glob("*.py")]
    return tuple(sorted(s.replace("_", "-") for s in stems if not s.startswith("_")))


_hints = cache(get_type_hints)


def describe(room: str, name: str) -> str:
    """The first line of a plugin's docstring, read without importing it."""
    path = Path(__file__).parent / ROOMS[room].replace(".", "/") / f"{name.replace('-', '_')}.py"
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return text.partition("\n")[0]


_allowed: set[str] = set()


def allow_code(module: str) -> None:
    """Let files (a run, an experiment) name classes of the user's own from this module."""
    _allowed.add(module)


def allowed_code() -> tuple[str, ...]:
    """The modules vouched for so far, for another process to be told."""
    return tuple(sorted(_allowed))


def find(base: type[P], name: str, *, trusted: bool = True) -> type[P]:
    """The plugin class called `name`.

    `trusted` says who wrote the text: the user (True), or a file, which may name code outside
    this package only if the user allowed that module.

    Raises:
        UsageError: no such plugin, with the nearest name.
    """
    noun = base.room.removesuffix("s")
    if ":" in name:
        found = import_object(name, trusted=trusted)
        if isinstance(found, type) and issubclass(found, base):
            return found
        raise UsageError(f"{name} is no {noun}: it must be a class derived from {base.__name__}")
    known = names(base.room)
    if name not in known:
        norms = [one for one in known if one.endswith(f"-{name}")]  # pgd: linf-pgd, then l2-pgd
        near = norms[::-1] or difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"type: robustmix --list {base.room}"
        raise UsageError(f"no {noun} named {name!r}; {hint}")
    return _class_in(base, name)


def _class_in(base: type[P], name: str) -> type[P]:
    module = importlib.import_module(f"{__package__}.{ROOMS[base.room]}.{name.replace('-', '_')}")
    found = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, base) and c.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} must define exactly one {base.__name__}")
    return found[0]


def import_object(path: str, *, trusted: bool = True) -> Any:
    """What ``my_lab.nets:MyNet`` names; the working directory is searched first, as by ``-m``."""
    module, _, attribute = path.partition(":")
    if trusted:
        allow_code(module)
    elif not any(module == a or module.startswith(f"{a}.") for a in _allowed):
        raise UsageError(
            f"a file names code outside robustmix, {path}; if you trust it: --allow-code {module}"
        )
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as e:
        if e.name is None or not module.startswith(e.name):
            raise UsageError(f"{path} cannot be imported: {e}") from e
        raise UsageError(
            f"no module named {e.name!r}; {path} must be importable from here or from PYTHONPATH"
        ) from e
    except AttributeError as e:
        raise UsageError(f"module {module} has no {attribute!r}") from e
    except (Exception, SystemExit) as e:  # the user's module: whatever it raises is the answer
        raise UsageError(f"{module} cannot be imported: {type(e).__name__}: {e}") from e


def split(text: str) -> list[str]:
    """``mixup:alpha=1e+0+pgd-at`` -> its parts; a plus sign joins only before a name."""
    return [part.strip() for part in re.split(r"\+(?=\s*[A-Za-z])", text)]


def build(base: type[P], text: str, *, trusted: bool = True) -> P:
    """One object from its spec, for example ``pgd-at:eps=8/255,steps=7``.

    Raises:
        UsageError: unknown name or parameter, or a value of the wrong type or range.
    """
    name, _, given = text.strip().partition(":")
    name, (attribute, _, after) = name.strip(), given.partition(":")
    if "." in name or (name not in names(base.room) and attribute.isidentifier()):
        name, given = f"{name}:{attribute}", after  # my_lab.nets:MyNet
    cls = find(base, name, trusted=trusted)
    hints = _hints(cls)  # type: ignore[arg-type]
    known = {f.name: f for f in parameters(cls)}
    values: dict[str, Any] = {}
    for position, item in enumerate(
        re.split(r",(?=\s*[A-Za-z][\w-]*\s*=)", given) if given else []
    ):
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
