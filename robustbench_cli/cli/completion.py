"""What a shell offers after TAB: the names of plugins, read from the folders' listings."""

from __future__ import annotations

from collections.abc import Callable

from robustbench_cli.spec import describe, names


def names_of(room: str) -> Callable[[str], list[tuple[str, str]]]:
    """Completes a spec of the room, also behind a ``+``; each name with its first line."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        before, plus, last = incomplete.rpartition("+")
        return [
            (f"{before}{plus}{name}", describe(room, name))
            for name in names(room)
            if name.startswith(last)
        ]

    return complete
