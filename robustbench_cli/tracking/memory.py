"""What a tracker was told of a run: ``trackers.json`` beside the run's record."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from robustbench_cli.errors import RunError
from robustbench_cli.files import read_json, write_json

FILE = "trackers.json"
FORMAT = 1
_ID = re.compile(r"[\w.:-]{1,200}")  # it may come with somebody else's run directory


@dataclass
class Memory:
    """Of one tracker; a run that goes on, or is told of again, goes on in the same place."""

    id: str | None = None
    epochs: int = 0
    results: dict[str, str] = field(default_factory=dict)
    """Of each result its digest when it was told."""


def remembered(run: Path, tracker: str) -> Memory:
    """
    Raises:
        RunError: the file is damaged.
    """
    entry = _all(run).get(tracker, {})
    try:
        memory = Memory(**entry)
    except TypeError:
        memory = Memory(epochs=-1)
    if not _sound(memory):
        raise RunError(f"{run / FILE} is damaged; delete it, and trackers begin anew")
    return memory


def remember(run: Path, tracker: str, memory: Memory) -> None:
    write_json(run / FILE, {"format": FORMAT, **_all(run), tracker: asdict(memory)})


def _all(run: Path) -> dict[str, Any]:
    return read_json(run / FILE) if (run / FILE).is_file() else {}


def _sound(memory: Memory) -> bool:
    known, results = memory.id, memory.results
    return (
        (known is None or (isinstance(known, str) and _ID.fullmatch(known) is not None))
        and type(memory.epochs) is int
        and memory.epochs >= 0
        and isinstance(results, dict)
        and all(isinstance(mark, str) for mark in results.values())
    )
