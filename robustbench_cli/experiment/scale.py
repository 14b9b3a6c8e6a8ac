"""``[scale.NAME]``: the same experiment, smaller or larger; ``run FILE --scale NAME`` asks for it.

[scale.laptop.train]                      # keys in the place of those of [train]
epochs = 2
[scale.laptop.attack]                     # keys in the place of those of every [[attack]]
samples = 200
[[scale.laptop.claim]]                    # in the place of all [[claim]] sections

Its report goes to a folder of its own, ``results-laptop`` where the file says ``results``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robustbench_cli.errors import UsageError

from . import values


def scaled(document: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """The document at the scale that `name` says; as it is written where that is none.

    Raises:
        UsageError: there is no such scale, or it changes a section that the document has not.
    """
    plain = {key: section for key, section in document.items() if key != "scale"}
    if name is None:
        return plain
    scales = values.table(document, "scale")
    if name not in scales:
        listing = ", ".join(scales) or "none; a section [scale.laptop.train] would make one"
        raise UsageError(f"no scale {name!r}; there are: {listing}")
    for key, changes in values.table(scales, name).items():
        plain[key] = _changed(plain.get(key), changes, key, name)
    return _apart(plain, scales[name], name)


def _changed(section: Any, changes: Any, key: str, name: str) -> Any:
    """A table changes keys, of each section where there are many; a list replaces them all."""
    if isinstance(changes, list):
        return changes
    if not isinstance(changes, Mapping):
        raise UsageError(f"[scale.{name}] {key} is no section: write [scale.{name}.train] and keys")
    if isinstance(section, list):
        return [{**each, **changes} if isinstance(each, Mapping) else each for each in section]
    if section is None and key not in ("train", "report"):
        raise UsageError(f"[scale.{name}.{key}] changes [[{key}]], of which the file has none")
    return {**section, **changes} if isinstance(section, Mapping) else changes


def _apart(document: dict[str, Any], scale: Mapping[str, Any], name: str) -> dict[str, Any]:
    """With a folder that is not that of the document as it is written."""
    report, own = document.get("report"), scale.get("report")
    if not isinstance(report, Mapping) or not isinstance(report.get("folder"), str):
        return document
    if isinstance(own, Mapping) and "folder" in own:
        return document
    folder = Path(report["folder"])
    return {**document, "report": {**report, "folder": f"{folder}-{name}"}}
