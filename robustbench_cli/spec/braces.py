"""``vib:beta={1e-4,1e-3}`` stands for two specs: a grid inside of one text, as shells write it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from robustbench_cli.errors import UsageError

MOST = 1000
"""Texts that one may stand for; more is a slip of the keyboard."""

_DEEP = 9
_RANGE = re.compile(r"-?\d+\.\.-?\d+(\.\.-?\d+)?")


def expand(text: str) -> list[str]:
    """Every text that one with braces stands for; itself where it has none.

    Of several braces the last one changes fastest, like nested loops in the order in which they
    are written. An alternative is any text, with braces of its own: ``{plain,pgd-at}+mixup``.

    Raises:
        UsageError: a brace without its partner, an alternative that is empty, or too many.
    """
    found, end = _texts(text, 0, 0)
    if end < len(text):
        raise UsageError(f"{text}: a }} closes no {{; write a grid like beta={{1e-4,1e-3}}")
    return list(dict.fromkeys(found))


def expand_all(texts: Iterable[str]) -> list[str]:
    """What several texts stand for, in their order."""
    return [each for text in texts for each in expand(text)]


def _texts(text: str, at: int, depth: int) -> tuple[list[str], int]:
    """What the text from `at` on stands for, up to where it ends, and where that is.

    It ends before a closing brace, and inside of braces before a comma.
    """
    found, ends = [""], re.compile(r"[{},]" if depth else r"[{}]")
    while at < len(text):
        stop = ends.search(text, at)
        here = stop.start() if stop else len(text)
        found = [each + text[at:here] for each in found]
        at = here
        if at == len(text) or text[at] != "{":
            break
        options, at = _alternatives(text, at, depth + 1)
        if len(found) * len(options) > MOST:
            raise UsageError(f"{text} stands for more than {MOST} specs; write fewer values")
        found = [each + option for each in found for option in options]
    return found, at


def _alternatives(text: str, at: int, depth: int) -> tuple[list[str], int]:
    """Those of the brace that opens at `at`, and where the text goes on behind it."""
    if depth > _DEEP:
        raise UsageError(f"{text[:60]}: braces inside of braces, more than {_DEEP} deep")
    found: list[str] = []
    while at < len(text) and text[at] != "}":
        options, at = _texts(text, at + 1, depth)
        found += options
    if at == len(text):
        raise UsageError(
            f"{text}: a {{ is not closed; write a grid like beta={{1e-4,1e-3}}, in quotes"
        )
    for each in found:
        if not each.strip():
            raise UsageError(f"{text}: an alternative in the braces is empty; write {{1e-4,1e-3}}")
        if _RANGE.fullmatch(each):
            raise UsageError(f"{text}: {each} is no value; write all of them, like {{1,2,3}}")
    return found, at + 1
