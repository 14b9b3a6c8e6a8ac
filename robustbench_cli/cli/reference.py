"""Everything there is on one page of Markdown: commands with options, plugins with parameters.

The same wherever it is made: no width of a terminal, no folder, and nothing of what is installed.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from typer.models import ArgumentInfo, OptionInfo

from robustbench_cli.spec import ROOMS, describe, names, one_of, shorten

from .explain import Setting, algorithms, doc_of, example, load, settings
from .markdown import code, escaped, help_text, link, prose, table
from .spread import Command, with_groups

TITLE = "robustmix: every command, option and plugin"
INTRODUCTION = """\
Printed by `robustmix --explain all`, from the code itself. The same, one by one:
`robustmix COMMAND --help`, `robustmix --list methods`, `robustmix --explain pgd-at`.

A *spec* names a plugin and sets its parameters: `pgd-at:eps=8/255,steps=7`. `+` composes methods,
`mixup:alpha=0.4+pgd-at`; braces stand for several specs, `'vib:beta={1e-4,1e-3}'`, in quotes.
Pixels are in [0, 1], and so is every epsilon, step and radius in pixels: `8/255`, `0.03`.

Every command has `-h` and `--help`; `robustmix --install-completion` lets TAB complete commands,
options and names."""
ABOUT = {
    "methods": "How a network is trained, or defended at test time: `train -m SPEC[+SPEC...]`, "
    "`attack --defence SPEC`.",
    "attacks": "How a network is attacked: `attack -a SPEC`, `sweep-epsilon -a`, `transfer -a`, "
    "`train --stop-on`.",
    "models": "Networks: `train --model SPEC`, or `attack FILE --model SPEC` for somebody else's "
    "weights.",
    "datasets": "Data: `train --data SPEC`; found below `--data-dir`.",
    "figures": "Pictures of what is stored: `report RUN... --figure SPEC -o FILE.png`.",
    "checks": "What every table's verdict is made of: `attack --checks full|quick|off`. They have "
    "no parameters.",
    "signals": "What is measured beside an attack, so that checks can judge it: "
    "`attack --checks full` measures more of it.",
    "analyses": "Looks inside of a network and around an image: `analyse RUN -n SPEC`.",
    "trackers": "Other tools that are told of runs: `train --track SPEC`, `track RUN --to SPEC`.",
}
UNITS = {"pixels": "in pixels", "one pixel": "in pixels", "l2": "in pixels, L2"}


SHARED = "What attacks share"
_SHARED = " (shared)"  # behind the name of an algorithm, in its heading
KINDS = {str: "text", int: "whole number", float: "number", Path: "path"}


def reference(about: str, main: Command, commands: Mapping[str, Command]) -> str:
    """`about`: the help of robustmix itself, whose options are those of `main`."""
    helps = {"robustmix": (about, main)}
    helps |= {f"robustmix {name}": (f.__doc__ or "", f) for name, f in commands.items()}
    shared: dict[str, str] = {}
    parts = [f"# {TITLE}", INTRODUCTION, "## Contents", _contents(helps), "## Commands"]
    for title, (text, command) in helps.items():
        parts += [f"### {title}", help_text(text), *_options(command)]
    for room in ROOMS:
        parts += [f"## {_title(room)}", ABOUT[room], _index(room)]
        for name in names(room):
            parts += _plugin(room, name, shared)
    parts += [f"## {SHARED}", "Searches that several attacks are made of."]
    for heading, text in sorted(shared.items()):
        parts += [f"### {heading}", prose(text)]
    return "\n\n".join(parts) + "\n"


def _contents(helps: Collection[str]) -> str:
    rooms = [f"- {link(_title(room))}: {len(names(room))}" for room in ROOMS]
    return "\n".join(
        [
            f"- {link('Commands')}",
            *(f"  - {link(title)}" for title in helps),
            *rooms,
            f"- {link(SHARED)}",
        ]
    )


def _title(room: str) -> str:
    return "Data sets" if room == "datasets" else room.capitalize()


def _index(room: str) -> str:
    rows = [
        (link(_heading(room, name), name), escaped(describe(room, name))) for name in names(room)
    ]
    return table(("name", "what it is"), rows)


def _heading(room: str, name: str) -> str:
    return f"{name} ({one_of(room).replace('dataset', 'data set')})"


def _plugin(room: str, name: str, shared: dict[str, str]) -> Iterator[str]:
    """What one plugin says of itself; what its algorithms say is collected in `shared`."""
    cls, text = load(room, name)
    yield f"### {_heading(room, name)}"
    yield prose(text)
    behind = {
        f"{home.rpartition('.')[2].replace('_', '-')}{_SHARED}": doc_of(home)
        for home in algorithms(cls)
    }
    shared |= behind
    if behind:
        yield f"How it searches: {', '.join(link(h, h.removesuffix(_SHARED)) for h in behind)}."
    if rows := settings(cls):
        yield table(
            ("parameter", "type", "default", "range", "what it does"),
            [
                (code(r.key), _kind(r.kind), code(r.default), _range(r), escaped(r.about))
                for r in rows
            ],
        )
        yield f"Written as {code(example(cls, name))}."


def _kind(kind: str) -> str:
    """As of options: ``float or none`` -> ``number or none``; choices stay as they are."""
    words = {kind.__name__: word for kind, word in KINDS.items()} | {"bool": "true, false"}
    return " or ".join(words.get(each, each) for each in kind.split(" or "))


def _range(setting: Setting) -> str:
    bounds = _bounds(setting.low, setting.high)
    return ", ".join(filter(None, [bounds, UNITS.get(setting.unit or "", "")]))


def _bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{shorten(low)} to {shorten(high)}"
    if low is not None:
        return f"≥ {shorten(low)}"
    return "" if high is None else f"≤ {shorten(high)}"


def _options(command: Command) -> Iterator[str]:
    """A table of arguments, if there are any, and one of options, as the command declares them."""
    arguments, options = [], []
    for name, parameter in inspect.signature(with_groups(command)).parameters.items():
        hint, info = get_args(parameter.annotation)
        value, about = _value(hint, info), escaped(info.help or "")
        if info.envvar:
            about += f" Or the variable {code(str(info.envvar))}."
        if isinstance(info, ArgumentInfo):
            needed = "needed. " if parameter.default is parameter.empty else ""
            arguments.append((code(info.metavar or name), f"{needed}{about}"))
        else:
            flags = _flags(name, hint, info)
            options.append((", ".join(map(code, flags)), value, _default(parameter), about))
    if arguments:
        yield table(("argument", "what it is"), arguments)
    yield table(("option", "value", "default", "what it does"), options)


def _flags(name: str, hint: Any, info: OptionInfo) -> list[str]:
    """As they are typed; typer takes the first that is declared for a default."""
    declared = [info.default] if isinstance(info.default, str) else []
    word = name.replace("_", "-")
    alone = [f"--{word}", f"--no-{word}"] if hint is bool else [f"--{word}"]
    return [*declared, *(info.param_decls or ())] or alone


def _value(hint: Any, info: OptionInfo | ArgumentInfo) -> str:
    """What is to be typed behind an option: ``SPEC``, ``number ≥ 0``, ``sgd, adam``."""
    several = ""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (kind for kind in get_args(hint) if kind is not NoneType)
    if get_origin(hint) is list:
        (hint,), several = get_args(hint), ", may be repeated"
    if hint is bool:
        return ""
    if info.metavar:
        word = code(info.metavar)
    elif get_origin(hint) is Literal:
        word = ", ".join(map(code, get_args(hint)))
    else:
        word = KINDS[hint]
    return f"{word} {_bounds(info.min, info.max)}".strip() + several


def _default(parameter: inspect.Parameter) -> str:
    value = parameter.default
    if value is parameter.empty:
        return "needed"
    if value is None or value is False:
        return ""
    return "on" if value is True else code(shorten(value))
