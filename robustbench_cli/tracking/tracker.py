"""The contract of a tracker: what somebody's tool for following experiments is told, and when."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from robustbench_cli.spec import Plugin

if TYPE_CHECKING:
    from robustbench_cli.reporting.formats.table import Table


@dataclass(kw_only=True)
class Tracker(Plugin):
    """One tool; one file in trackers/ each. An object follows one run, from `begin` to `end`.

    Methods may raise whatever their tool raises: the caller makes a warning of it.
    """

    room: ClassVar[str] = "trackers"
    package: ClassVar[str | None] = None  # what must be installed; the extra has the same name

    def begin(self, name: str, config: Mapping[str, Any], folder: Path, known: str | None) -> str:
        """Open the run that the tool calls `known`, or a new one; returns what the tool calls it.

        Args:
            name: of the run.
            config: its settings, scalars.
            folder: its directory.
            known: what an earlier `begin` of the same run returned. Where the tool has no such run
                any more, a new one is opened.
        """
        raise NotImplementedError

    def epoch(self, number: int, numbers: Mapping[str, float]) -> None:
        """What a row of history.csv says, finite; epochs count from 1 and rise."""
        raise NotImplementedError

    def result(self, name: str, table: Table, numbers: Mapping[str, float]) -> None:
        """A table to read, and the numbers in it that are worth comparing between runs.

        Told again, it replaces what was told under that name.
        """
        raise NotImplementedError

    def picture(self, name: str, path: Path) -> None:
        """A PNG file, which is gone after the call."""
        raise NotImplementedError

    def end(self, *, finished: bool) -> None:
        """Nothing more comes for now; `finished` is False where the work broke off."""
        raise NotImplementedError

    @classmethod
    def missing(cls) -> str | None:
        """Where the package is not installed, what to type."""
        if cls.package is None or importlib.util.find_spec(cls.package) is not None:
            return None
        name = cls.title()
        return f'{name} is not installed; type: pip install "robustmix[{name}]"'
