"""Progress on stderr: a bar per running job on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from . import show

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from robustbench_cli.grid import Finished
    from robustbench_cli.jobs import Job

_log = logging.getLogger("robustbench_cli")


class Bars:
    """Watches a grid: a bar per running job and one for all, on a terminal; else plain lines."""

    def __init__(self, noun: str = "jobs") -> None:
        self._noun = noun
        self._bars: Progress | None = None
        self._all: TaskID | None = None
        self._running: dict[str, TaskID] = {}
        self._started = self._looked = time.monotonic()
        self._counts = {"before": 0, "done": 0, "failed": 0}

    def __enter__(self) -> Self:
        if on_terminal() and not show.quiet():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[text]}"),
                console=Console(stderr=True, no_color="NO_COLOR" in os.environ or None),
                transient=True,
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()
        if kind is None and sum(self._counts.values()) > 1:
            seconds = time.monotonic() - self._started
            show.say(
                f"{sum(self._counts.values())} {self._noun}: {self._counts['before']} finished "
                f"earlier, {self._counts['done']} done, {self._counts['failed']} failed, "
                f"{duration(seconds)}"
            )

    def begin(self, jobs: int, finished: int, workers: int) -> None:
        self._counts["before"] += finished
        side_by_side = f" on {workers} workers" if workers > 1 else ""
        if jobs > 1 and jobs > finished:
            earlier = f"{finished} finished earlier, {jobs - finished} to do"
            show.say(f"{jobs} {self._noun}: {earlier}{side_by_side}")
        if self._bars and jobs - finished > 1:
            self._all = self._bars.add_task(self._noun, total=jobs - finished, text="")

    def step(self, job: Job, done: int, total: int, text: Callable[[], str]) -> None:
        now = time.monotonic()
        if self._bars is None or (now - self._looked < 0.2 and done < total):
            return
        self._looked = now
        if job.label not in self._running:
            name = job.label if len(job.label) <= 60 else job.label[:57] + "..."
            self._running[job.label] = self._bars.add_task(name, total=total, text="")
        self._bars.update(self._running[job.label], completed=done, total=total, text=text())

    def end(self, finished: Finished) -> None:
        self._counts["failed" if finished.error else "done"] += 1
        if self._bars:
            if (task := self._running.pop(finished.job.label, None)) is not None:
                self._bars.remove_task(task)
            if self._all is not None:
                self._bars.advance(self._all)
        if finished.error:
            show.complain(f"{finished.job.label}: {finished.error}")
        elif not self._bars:
            _log.info("done: %s", finished.job.label)


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def on_terminal() -> bool:
    """Whether bars and colours make sense on stderr."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
