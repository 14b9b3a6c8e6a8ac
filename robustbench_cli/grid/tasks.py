"""What the pool asks of a worker: to work, to give memory back, to say what is free.

A worker that shares GPUs writes on its board what its job takes, and the pool reads it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from robustbench_cli.jobs import Job
from robustbench_cli.worker import Orders, boards

from .attempt import Finished, attempt
from .gpu_memory import Meter

POLL = 0.5
"""Seconds between two looks at what jobs take, on both sides."""

HELD, MOST, STAGE = range(3)  # places on a board: bytes, bytes, and one of the stages
BEGUN, AT_WORK, WHOLE = range(3)
"""Stages of a job: it may find that another process does its work; it has done everything once."""


class Report:
    """Writes on the board what the job of this process takes, every now and then."""

    def __init__(self, meter: Meter, board: Any) -> None:
        self.meter, self._board = meter, board
        self._whole = self._first = 1.0
        self._next = 0.0

    def begin(self, whole: float) -> None:
        """A job begins; after the share `whole` of its work it has done everything once."""
        self._whole, self._first = whole, 1.0

    def __call__(self, job: Job, done: int, total: int, text: Callable[[], str]) -> None:
        share = done / max(total, 1)
        self._first = min(self._first, share)  # not 0 where an earlier process did a part
        stage = WHOLE if share - self._first > self._whole else AT_WORK
        if stage != self._board[STAGE] or time.monotonic() >= self._next:
            self._next = time.monotonic() + POLL
            self.write()
            self._board[STAGE] = stage

    def write(self) -> None:
        """What this process holds now, and held at most."""
        self._board[HELD], self._board[MOST] = self.meter.taken()


_reports: list[Report] = []
"""In a worker that shares GPUs, its only one."""


def arrive(orders: Orders, meter: Meter | None) -> bool:
    """The first call of all; that it is one of this module has loaded torch, after `begin`."""
    orders.follow()
    if meter:
        _reports.append(Report(meter, boards[0]))
    return rest()


def work(job: Job, whole: float | None) -> Finished:
    """`whole`: as of its kind; None where nobody wants to know what the job takes."""
    if not _reports or whole is None:
        return attempt(job)
    report = _reports[0]
    report.begin(whole)
    finished = attempt(job, report)
    with suppress(RuntimeError):  # `rest` will say so
        report.write()
    return finished


def rest() -> bool:
    """Once nothing of the last job is left in use; False if CUDA works no more in this process.

    As after an error on the GPU itself, an index that is none for instance.
    """
    try:
        for report in _reports:
            report.meter.rest()
            report.write()
    except RuntimeError:
        return False
    return True


def free() -> int:
    """Bytes of the GPU that no process holds."""
    try:
        return _reports[0].meter.free()
    except RuntimeError:
        return 0  # CUDA does not start: too little for itself, or the GPU is for one process only
