"""Plugins of one's own, as objects or classes -> the text that stands for them everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from robustbench_cli.errors import UsageError
from robustbench_cli.runs.given import kind
from robustbench_cli.spec import Plugin, allow_code, one_of


def spec_of(given: object, base: type[Plugin], who: str) -> str:
    """The spec of one plugin; giving an object of one's own vouches for its module.

    Raises:
        UsageError: it is none; `who` says in the message what takes it.
    """
    if isinstance(given, str):
        return given
    if isinstance(given, type) and issubclass(given, base):
        _vouch(given)
        return given.title()
    if isinstance(given, base):
        _vouch(type(given))
        return str(given)
    noun = one_of(base.room)
    once = f"; call it once for each {noun}" if isinstance(given, (list, tuple)) else ""
    article = "an" if base.__name__[0] in "AEIOU" else "a"
    raise UsageError(
        f"{who} takes one {noun}: its spec as text, or {article} {base.__name__}; "
        f"got {kind(given)}{once}"
    )


def specs_of(given: object, base: type[Plugin], who: str) -> str:
    """The same for one or several that work together, joined by plus signs."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        return spec_of(given, base, who)
    return "+".join(spec_of(each, base, who) for each in given) or "plain"


def _vouch(cls: type[Plugin]) -> None:
    if not cls.__module__.startswith("robustbench_cli."):
        allow_code(cls.__module__)
