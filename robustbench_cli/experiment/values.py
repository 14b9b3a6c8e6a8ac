"""What TOML gave, held against what a section expects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from robustbench_cli.errors import UsageError
from robustbench_cli.spec import expand_all


def table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, Mapping):
        raise UsageError(f"{name} is a section: write [{name}] once")
    return section


def tables(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    sections = document.get(name, [])
    sections = [sections] if isinstance(sections, Mapping) else sections
    if not isinstance(sections, list) or not all(isinstance(s, Mapping) for s in sections):
        raise UsageError(f"{name} is a list of sections: write [[{name}]]")
    return sections


def listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def texts(given: Any) -> list[str]:
    texts = list(given) if isinstance(given, tuple) else listed(given)
    for text in texts:
        if not isinstance(text, (str, int, float)) or isinstance(text, bool):
            raise UsageError(f"{text!r}: expected text, or a list of texts")
    return [str(text) for text in texts]


def specs(given: Any) -> list[str]:
    """Texts whose braces stand for several: ``vib:beta={1e-4,1e-3}``."""
    return expand_all(texts(given))


def options(section: Mapping[str, Any], kinds: Mapping[str, type], where: str) -> dict[str, Any]:
    """What is there of the keys that `kinds` names, as Python spells them."""
    return {
        key.replace("-", "_"): typed(section[key], kind, f"{where} {key}")
        for key, kind in kinds.items()
        if key in section
    }


def typed(value: Any, hint: Any, where: str) -> Any:
    """The value, if TOML gave it the type that the setting has."""
    kinds = tuple(k for k in (get_args(hint) or (hint,)) if isinstance(k, type))
    literals = [k for k in get_args(hint) if isinstance(k, str)]
    for inner in get_args(hint):
        literals += [k for k in get_args(inner) if isinstance(k, str)]
    if literals:
        if value in literals:
            return value
        raise UsageError(f"{where} is one of {', '.join(literals)}; got {value!r}")
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > 10**12:
            raise UsageError(f"{where} is out of range")
        return float(value)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise UsageError(f"{where} must be {kinds[0].__name__}; got {value!r}")
    return value
