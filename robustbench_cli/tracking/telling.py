"""One tracker, one run: opened at the first news, told only what it does not know yet."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from robustbench_cli.errors import RobustmixError, RunError, UsageError
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build

from .memory import FILE, Memory, remember, remembered
from .tracker import Tracker

if TYPE_CHECKING:
    from robustbench_cli.reporting.formats.table import Table

_log = logging.getLogger(__name__)

Observer = Callable[[Sequence[Mapping[str, float]]], None]
"""Told the whole history so far: at the start of a training, and after each epoch."""


class Telling:
    """What one tracker is told of one run.

    Every method raises RobustmixError, in one line, where the tracker fails; nothing else.
    """

    def __init__(self, spec: str, run: Path) -> None:
        self.tracker = build(Tracker, spec)
        self.spec, self.run = str(self.tracker), run
        self._memory: Memory | None = None

    def begin(self) -> None:
        """Open the tracker's run, so that it is there before there is news."""
        self._opened()

    def epochs(self, history: Sequence[Mapping[str, float]]) -> int:
        """Those of `history` that are new; returns how many."""
        if len(history) <= (self._memory or remembered(self.run, self.spec)).epochs:
            return 0
        memory = self._opened()
        new = history[memory.epochs :]
        try:
            for row in new:
                numbers = {key: float(value) for key, value in row.items() if key != "epoch"}
                with self._guarded():
                    self.tracker.epoch(int(row["epoch"]), _finite(numbers))
                memory.epochs += 1
        finally:
            if new:
                remember(self.run, self.spec, memory)
        return len(new)

    def knows(self, name: str, mark: str) -> bool:
        """Whether a result was told as it is now."""
        memory = self._memory or remembered(self.run, self.spec)
        return memory.results.get(name) == mark

    def result(
        self,
        name: str,
        table: Table,
        numbers: Mapping[str, float],
        pictures: Mapping[str, Path],
        mark: str,
    ) -> None:
        memory = self._opened()
        with self._guarded():
            self.tracker.result(name, table, _finite(numbers))
            for title, path in pictures.items():
                self.tracker.picture(title, path)
        memory.results[name] = mark
        remember(self.run, self.spec, memory)

    def end(self, *, finished: bool) -> None:
        if self._memory is not None:
            self._memory = None
            with self._guarded():
                self.tracker.end(finished=finished)

    def _opened(self) -> Memory:
        if self._memory is None:
            if missing := self.tracker.missing():
                raise UsageError(missing)
            memory, run = remembered(self.run, self.spec), Run.open(self.run)
            try:
                with self._guarded():
                    found = self.tracker.begin(run.name, run.config, self.run, memory.id)
            except RunError as e:
                if memory.id is None:
                    raise
                raise RunError(f"{e}; to begin anew there: delete {self.run / FILE}") from e
            if found != memory.id:
                memory = Memory(found)
                remember(self.run, self.spec, memory)
            self._memory = memory
        return self._memory

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Whatever the tool raises is one line, and what it prints is no result of ours."""
        try:
            with redirect_stdout(sys.stderr):
                yield
        except RobustmixError:
            raise
        except (Exception, SystemExit) as e:
            _log.debug("%s", self.spec, exc_info=True)
            first = str(e).strip().partition("\n")[0]
            raise RunError(f"{type(e).__name__}: {first}".removesuffix(": ")) from e


@contextmanager
def following(specs: Sequence[str], run: Path) -> Iterator[Observer | None]:
    """What a training in the directory `run` should tell of its epochs; None without trackers.

    A tracker that fails is told nothing more, and a warning says so.
    """
    if not specs:
        yield None
        return
    listening = [Telling(spec, run) for spec in specs]

    def tell(history: Sequence[Mapping[str, float]]) -> None:
        for telling in list(listening):
            try:
                telling.begin()
                telling.epochs(history)
            except RobustmixError as e:
                warn(telling.spec, run, e)
                listening.remove(telling)
                with suppress(RobustmixError):
                    telling.end(finished=False)

    finished = False
    try:
        yield tell
        finished = True
    finally:
        for telling in listening:
            try:
                telling.end(finished=finished)
            except RobustmixError as e:
                warn(telling.spec, run, e)


def warn(spec: str, run: Path, error: RobustmixError) -> None:
    """That a tracker missed something, which costs the run nothing."""
    later = f"later: robustmix track {run} --to {spec}"
    _log.warning("warning: --track %s, %s: %s; %s", spec, run.name, error, later)


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    return {key: value for key, value in numbers.items() if isfinite(value)}
