"""The two streams: results on stdout and nothing else there; all the rest on stderr."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from robustbench_cli import files, spec

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from robustbench_cli.grid import Finished
    from robustbench_cli.jobs import Job
    from robustbench_cli.reporting.formats import Table

    from .groups import Output, Voice

_package = logging.getLogger("robustbench_cli")
_quiet = False


def say(text: str) -> None:
    """A line on stderr, unless -q."""
    if not _quiet:
        print(text, file=sys.stderr)


def complain(text: str) -> None:
    """An error, in one line."""
    print(f"Error: {' '.join(text.split())}", file=sys.stderr)


def emit(text: str, output: Path | None = None) -> None:
    """The result: to stdout, or whole or not at all into a file."""
    text = text.rstrip("\n") + "\n"
    if output is None or str(output) == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        files.write(output, text)
        say(f"wrote {output}")


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        prefix = f"{record.levelname.lower()}: " if record.levelno >= logging.ERROR else ""
        say(prefix + record.getMessage())


def listen(voice: Voice) -> None:
    """Set up what this process says; later calls replace earlier ones."""
    global _quiet
    _quiet = voice.quiet
    level = logging.INFO if voice.verbose else logging.WARNING
    level = logging.ERROR if voice.quiet else logging.DEBUG if voice.debug else level
    for handler in list(_package.handlers):
        _package.removeHandler(handler)
    _package.addHandler(_Lines())
    _package.setLevel(level)
    _package.propagate = False
    for module in voice.allow_code or ():
        spec.allow_code(module)


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
        from .groups import on_terminal

        if on_terminal() and not _quiet:
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
            say(
                f"{sum(self._counts.values())} {self._noun}: {self._counts['before']} finished "
                f"earlier, {self._counts['done']} done, {self._counts['failed']} failed, "
                f"{duration(seconds)}"
            )

    def begin(self, jobs: int, finished: int, workers: int) -> None:
        self._counts["before"] += finished
        side_by_side = f" on {workers} workers" if workers > 1 else ""
        if jobs > 1 and jobs > finished:
            earlier = f"{finished} finished earlier, {jobs - finished} to do"
            say(f"{jobs} {self._noun}: {earlier}{side_by_side}")
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
            complain(f"{finished.job.label}: {finished.error}")
        elif not self._bars:
            _package.info("done: %s", finished.job.label)


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def list_jobs(jobs: Sequence[Job]) -> str:
    """What --dry-run prints."""
    return "\n".join(f"{'done ' if job.done() else 'to do'}  {job.label}" for job in jobs)


def form_of(output: Output) -> str:
    """The form that was asked for; called before hours of work, so that a slip costs none."""
    from robustbench_cli.reporting.formats import format_of

    form: str | None = "json" if output.json else output.format
    if form is None and output.output is not None and str(output.output) != "-":
        form = format_of(output.output)
    return form or "table"


def emit_table(table: Table, output: Output) -> None:
    """A table in the form that was asked for, its notes as warnings on stderr."""
    for note in table.notes:
        say(f"warning: {note}")
    emit(table.render(form_of(output)), output.output)
