"""The keys of a section in a file, held against those that it may have."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from robustbench_cli.errors import UsageError


def refuse_unknown(given: Iterable[str], known: set[str], where: str) -> None:
    """
    Raises:
        UsageError: a key that is not among the `known` ones; names the nearest, and all.
    """
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"{where} has no {key!r}; {hint}it has: {', '.join(sorted(known))}")
