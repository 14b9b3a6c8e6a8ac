"""A command that takes one of the dataclasses of `groups.py` gets all of its fields as options."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints

from . import show
from .groups import Voice

Command = Callable[..., Any]


def with_groups(command: Command) -> Command:
    """The command with its dataclass parameters spread out into options."""
    hints = get_type_hints(command, include_extras=True)
    spread: list[inspect.Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if not (isinstance(kind, type) and is_dataclass(kind)):
            spread.append(parameter.replace(annotation=kind))
            continue
        inner = get_type_hints(kind, include_extras=True)
        groups[name] = kind, [f.name for f in fields(kind)]
        spread += [
            inspect.Parameter(
                f.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if f.default is MISSING else f.default,
                annotation=inner[f.name],
            )
            for f in fields(kind)
        ]

    @functools.wraps(command)
    def spread_out(**given: Any) -> Any:
        for name, (kind, keys) in groups.items():
            given[name] = kind(**{key: given.pop(key) for key in keys})
            if isinstance(given[name], Voice):
                show.listen(given[name])
        return command(**given)

    # keyword-only, so that a group may stand before a parameter without a default
    ordered = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in spread]
    spread_out.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    spread_out.__annotations__ = {p.name: p.annotation for p in ordered}
    del spread_out.__wrapped__
    return spread_out
