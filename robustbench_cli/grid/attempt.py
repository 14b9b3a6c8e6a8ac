"""One job, and what became of it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from robustbench_cli.device import is_out_of_memory
from robustbench_cli.errors import DeviceMemoryError, RobustmixError, RunError
from robustbench_cli.jobs import Job
from robustbench_cli.worker import Orders, follow_once

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finished:
    """What became of a job: a path, or an error."""

    job: Job
    path: Path | None = None
    error: RobustmixError | None = None


class Step(Protocol):
    """Told how far a job is: units done, units in all, and what describes the moment."""

    def __call__(self, job: Job, done: int, total: int, text: Callable[[], str], /) -> None: ...


def attempt(job: Job, step: Step | None = None) -> Finished:
    """Run one job; an error becomes part of the result, with its traceback in the debug log."""
    progress = None if step is None else lambda *moment: step(job, *moment)
    try:
        return Finished(job, job.run(progress))
    except RobustmixError as e:
        _log.debug("%s", traceback.format_exc())
        return Finished(job, error=e)
    except OSError as e:  # the machine's answer, and no bug
        _log.debug("%s", traceback.format_exc())
        kind = "" if type(e) is OSError else f"{type(e).__name__}: "
        text = f"{e.filename}: {e.strerror}" if e.filename and e.strerror else str(e)
        return Finished(job, error=RunError(kind + text))
    except Exception as e:
        if is_out_of_memory(e):
            text = "the device is out of memory; try --batch-size 32"
            return Finished(job, error=DeviceMemoryError(text))
        _log.debug("%s", traceback.format_exc())
        first = str(e).strip().partition("\n")[0]
        text = f"{type(e).__name__}: {first}; type --debug to see where"
        return Finished(job, error=RunError(text))


def attempt_far(orders: Orders, job: Job) -> Finished:
    """In a process that somebody else started, for jobs of one parent."""
    follow_once(orders)
    return attempt(job)
