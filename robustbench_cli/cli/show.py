"""The two streams: results on stdout and nothing else there; all the rest on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from robustbench_cli import files, spec

if TYPE_CHECKING:
    from robustbench_cli.jobs import Job
    from robustbench_cli.reporting.formats.table import Table

    from .groups import Output, Voice

_package = logging.getLogger("robustbench_cli")
_quiet = False


def quiet() -> bool:
    """Whether -q was typed."""
    return _quiet


def to_a_terminal() -> bool:
    """Whether the result is read on a terminal, and not by a file or a program."""
    return sys.stdout.isatty()


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


def list_jobs(jobs: Sequence[Job]) -> str:
    """What --dry-run prints."""
    return "\n".join(f"{'done ' if job.done() else 'to do'}  {job.label}" for job in jobs)


def form_of(output: Output) -> str:
    """The form that was asked for; called before hours of work, so that a slip costs none."""
    from robustbench_cli.reporting.formats.table import format_of

    form: str | None = "json" if output.json else output.format
    if form is None and output.output is not None and str(output.output) != "-":
        form = format_of(output.output)
    return form or "table"


def emit_table(table: Table, output: Output) -> None:
    """A table in the form that was asked for, its notes as warnings on stderr."""
    for note in table.notes:
        say(f"warning: {note}")
    form = form_of(output)
    if form == "csv" and "unions" in table.document:
        say("warning: CSV has a column of single norms alone; --json holds the union, too")
    emit(table.render(form), output.output)
