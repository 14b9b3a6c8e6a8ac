"""Which plugins there are (the files of a folder), and whose code a text may name."""

from __future__ import annotations

import ast
import difflib
import importlib
import sys
from functools import cache
from pathlib import Path
from typing import Any

from robustbench_cli.errors import UsageError

from .plugin import PACKAGE, ROOMS, P, one_of

_ROOT = Path(__file__).parent.parent


@cache
def names(room: str) -> tuple[str, ...]:
    """Every plugin of a room: the files of its folder."""
    folder = _ROOT / ROOMS[room].replace(".", "/")
    stems = [path.stem for path in folder.glob("*.py")]
    return tuple(sorted(s.replace("_", "-") for s in stems if not s.startswith("_")))


def source(room: str, name: str) -> Path:
    """The file of a plugin."""
    return _ROOT / ROOMS[room].replace(".", "/") / f"{name.replace('-', '_')}.py"


def describe(room: str, name: str) -> str:
    """The first line of a plugin's docstring, read without importing it."""
    text = ast.get_docstring(ast.parse(source(room, name).read_text("utf-8"))) or ""
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
    noun = one_of(base.room)
    path = Path(name.removesuffix(":"))
    if base.room == "datasets" and path.exists() and name not in names(base.room):
        raise UsageError(
            f"{path} is a path; type {'folder' if path.is_dir() else 'npz'}:{path}, or another "
            "data set's name before it (robustmix --list datasets)"
        )
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
        if base.room == "attacks" and name in names("analyses"):
            hint = f"that is an analysis; type: robustmix analyse RUN -n {name}"
        raise UsageError(f"no {noun} named {name!r}; {hint}")
    return _class_in(base, name)  # type: ignore[arg-type]


@cache
def _class_in(base: type[P], name: str) -> type[P]:
    module = importlib.import_module(f"{PACKAGE}.{ROOMS[base.room]}.{name.replace('-', '_')}")
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
