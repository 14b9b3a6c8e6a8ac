"""What the parts are: a line each, or one of them in full."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from collections.abc import Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from robustbench_cli.errors import UsageError
from robustbench_cli.spec import (
    ROOMS,
    Plugin,
    build,
    describe,
    import_object,
    names,
    one_of,
    parameters,
    shorten,
    split,
)

ZOO = "robustbench"
LISTS = (*ROOMS, ZOO)
ALGORITHMS = "robustbench_cli.evaluation.algorithms"


@dataclass(frozen=True)
class Setting:
    """A parameter in words: its key in a spec, its default, its type, what it does, its bounds."""

    key: str
    default: str
    kind: str
    about: str
    low: float | None
    high: float | None
    unit: str | None


def settings(cls: type[Plugin]) -> list[Setting]:
    """The parameters of a plugin, in their order."""
    hints = get_type_hints(cls)
    return [
        Setting(
            f.name.replace("_", "-"),
            "(needed)" if f.default is MISSING else shorten(f.default),
            kind_of(hints[f.name]),
            f.metadata.get("about", ""),
            *(f.metadata.get(key) for key in ("low", "high", "unit")),
        )
        for f in parameters(cls)
    ]


def load(room: str, name: str) -> tuple[type[Plugin], str]:
    """The class of a plugin, and what its file says of it."""
    module = importlib.import_module(f"robustbench_cli.{ROOMS[room]}.{name.replace('-', '_')}")
    (cls,) = (
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, Plugin) and c.__module__ == module.__name__
    )
    return cls, inspect.getdoc(module) or ""


def listing(room: str) -> str:
    """Every plugin of a room with its first line; imports none of them. Or RobustBench's list."""
    if room == ZOO:
        from robustbench_cli.runs import robustbench

        return robustbench.listing()
    if room not in ROOMS:
        near = difflib.get_close_matches(room, LISTS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"--list {room}: expected one of {', '.join(LISTS)}{hint}")
    found = names(room)
    width = max(map(len, found), default=0)
    return "\n".join(f"{name:<{width}}  {describe(room, name)}" for name in found)


def explanation(spec: str) -> str:
    """Formula, parameters with defaults, paper, cost: the module's docstring and its fields.

    Attacks that are one search in several norms leave what they share to the search's module.
    """
    if spec == "card":
        return _card()
    if spec.startswith(f"{ZOO}:"):
        return _entry(spec)
    parts = []
    for part in split(spec):
        name, _, given = part.partition(":")
        name = name.strip()
        if "." in name:
            parts.append(_own(name, given))
            continue
        rooms = [room for room in ROOMS if name in names(room)]
        if not rooms:
            known = [n for room in ROOMS for n in names(room)]
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else "type: robustmix --list methods"
            raise UsageError(f"nothing is named {name!r}; {hint}")
        parts += _explain_all(rooms, name, part)
    return "\n\n".join(parts)


def _card() -> str:
    """Every key of card.json."""
    from robustbench_cli.reporting.card import schema

    keys = list(schema.described())
    widths = [max(len(key[i]) for key in keys) for i in range(2)]
    lines = [f"  {key:<{widths[0]}}  {kind:<{widths[1]}}  {about}" for key, kind, about in keys]
    return "\n".join([inspect.getdoc(schema) or "", "", *lines])


def _explain_all(rooms: Sequence[str], name: str, spec: str) -> list[str]:
    """An analysis and its picture share a name; parameters that are given belong to one of them."""
    found, refused = [], []
    for room in rooms:
        try:
            found.append(_explain(room, name, spec))
        except UsageError as e:
            refused.append(e)
    if not found:
        raise refused[0]
    return found


def _entry(text: str) -> str:
    """Of RobustBench's list: its network, its file, and what was published."""
    from robustbench_cli.runs.robustbench import find_entry

    entry = find_entry(text)
    network = entry.model or f"not built here: {entry.reason}"
    rows = {"network": f"{entry.architecture}; {network}"}
    if entry.model:
        rows["normalisation"] = entry.normalise or "as in its file"
    rows |= {
        "pictures": f"{entry.data}, {entry.images}" if entry.images else entry.data,
        "weights": entry.address or "in several files",
        "put them": f"DATA_DIR/{entry.file(Path())}",
    }
    width = max(map(len, rows))
    return "\n".join([entry.published(), "", *(f"  {k:<{width}}  {v}" for k, v in rows.items())])


def _own(module: str, given: str) -> str:
    """Of a class outside the package, ``my_lab.nets:MyNet`` with or without parameters."""
    attribute, _, rest = given.partition(":")
    name = f"{module}:{attribute}"
    cls = import_object(name)
    if not (isinstance(cls, type) and issubclass(cls, Plugin)):
        raise UsageError(f"{name} is no method, attack, model or data set of robustmix")
    return _described(cls.room, cls, name, inspect.getdoc(cls) or "", rest)


def _explain(room: str, name: str, spec: str) -> str:
    cls, text = load(room, name)
    return _described(room, cls, name, text, spec.partition(":")[2])


def _described(room: str, cls: type[Plugin], name: str, text: str, given: str) -> str:
    """`given`: parameters, which are checked and written out."""
    texts = [text, *map(doc_of, algorithms(cls))]
    lines = [f"{name} ({one_of(room)})", "", "\n\n".join(filter(None, texts))]
    rows = settings(cls)
    if rows:
        wide = max(len(row.key) for row in rows), max(len(row.default) for row in rows)
        lines += ["", "Parameters and defaults:"]
        lines += [
            f"  {r.key:<{wide[0]}}  {r.default:<{wide[1]}}  {r.about} [{r.kind}]" for r in rows
        ]
        written = build(cls, f"{name}:{given}") if given else example(cls, name)
        lines += ["", f"Written as: {written}"]
    return "\n".join(lines)


def example(cls: type[Plugin], name: str) -> str:
    """A spec that sets one parameter: the first that has a value, where one has."""
    rows = settings(cls)
    if not rows:
        return name
    first = next((row for row in rows if row.default != "none"), rows[0])
    value = first.key.upper() if first.default == "(needed)" else first.default
    return f"{name}:{value if first.key == cls.positional else f'{first.key}={value}'}"


def algorithms(cls: type[Plugin]) -> list[str]:
    """The modules of the searches behind an attack, the nearest first."""
    homes = dict.fromkeys(base.__module__ for base in cls.__mro__)
    return [home for home in homes if home.rpartition(".")[0] == ALGORITHMS]


def doc_of(module: str) -> str:
    """What a module that is loaded says of itself."""
    return inspect.getdoc(sys.modules[module]) or ""


def kind_of(hint: Any) -> str:
    """A type in words: ``float``, ``float or none``, ``linf, l2``."""
    if get_origin(hint) is Literal:
        return ", ".join(get_args(hint))
    if members := get_args(hint):
        return " or ".join("none" if m is NoneType else kind_of(m) for m in members)
    return str(hint.__name__)
