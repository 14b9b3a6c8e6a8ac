"""Processes side by side, each at one job at a time; who shares a GPU is let in by its memory.

This process alone decides who begins where, so nothing is locked and nothing has to be freed
after a kill. Each worker has a board that it writes on and this process reads.
"""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext
from threading import Thread
from typing import Any, TypeVar

from robustbench_cli.errors import DeviceMemoryError
from robustbench_cli.jobs import Job
from robustbench_cli.jobs.kind import Kind
from robustbench_cli.worker import Orders, begin

from . import tasks
from .attempt import Finished
from .gpu_memory import MARGIN, Ledger, Meter, Tenant, gib, measuring
from .tasks import AT_WORK, BEGUN, HELD, MOST, POLL, STAGE, WHOLE

_log = logging.getLogger(__name__)
T = TypeVar("T")


def stream(
    jobs: Mapping[int, Job], gpus: Sequence[str], orders: Orders, meter: Meter | None = None
) -> Iterator[tuple[int, Finished | None]]:
    """The jobs as they end, by a worker for each of `gpus`, the value of CUDA_VISIBLE_DEVICES.

    None for a job whose process died, and for all that had not begun by then. Without a `meter`
    every worker always has a job.
    """
    context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    others = multiprocessing.active_children()
    waiting, lost = dict(jobs), False
    door = _Door({i: job.kind for i, job in jobs.items()} if meter else {})
    crew: list[_Worker] = []
    try:
        for each in gpus:
            crew.append(_Worker(context, each, orders, meter))
        while (waiting and not lost) or any(worker.job is not None for worker in crew):
            if not lost:
                door.let_in(waiting, crew)
            looking = waiting and any(worker.tenant for worker in crew)
            busy = [worker.future for worker in crew if worker.future]
            wait(busy, POLL if looking else None, FIRST_COMPLETED)
            for place, worker in enumerate(crew):
                if worker.future and worker.future.done():
                    i, outcome = worker.job, _outcome(worker.future)
                    lost = lost or outcome is None
                    door.let_out(worker, crew, outcome)
                    if outcome is False:  # another process can do what this one no more can
                        _dismiss([worker])
                        crew[place] = _Worker(context, gpus[place], orders, meter)
                    if i is not None:
                        yield i, outcome
            door.look(crew)
        _dismiss(crew)
    except BaseException:
        # an interrupt must not wait for work that takes hours
        for worker in crew:
            worker.executor.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            if process not in others:
                process.kill()  # they leave all other signals to this process
        raise
    yield from ((i, None) for i in waiting)


def _dismiss(crew: Sequence[_Worker]) -> None:
    """All at once, for a process takes a moment to end; until then it holds memory of its GPU."""
    leaving = [Thread(target=worker.executor.shutdown) for worker in crew]
    for each in leaving:
        each.start()
    for each in leaving:
        each.join()


def _outcome(future: Future[T]) -> T | None:
    try:
        return future.result()
    except BrokenProcessPool:
        return None


class _Worker:
    """One process, and what it is at: a job, a rest after one, or nothing."""

    def __init__(
        self, context: SpawnContext, visible: str, orders: Orders, meter: Meter | None
    ) -> None:
        self.gpu = visible.partition(",")[0]  # it computes on the first that it sees
        self.board = context.RawArray("q", 3)
        self.executor = ProcessPoolExecutor(1, context, begin, (visible, self.board))
        self.job: int | None = None
        self.label = ""
        self.tenant: Tenant | None = None
        self.future: Future[Any] | None = self._ask(tasks.arrive, orders, meter)

    def work(self, i: int, job: Job, kind: Kind | None, *, measured: bool) -> None:
        self.board[STAGE] = BEGUN
        self.tenant = Tenant(kind, measured, self.board[HELD]) if kind else None
        self.job, self.label = i, job.label
        self.future = self._ask(tasks.work, job, kind and kind.whole)

    def rest(self) -> None:
        """After a job; until this has ended the tenant is there, and holds what it held."""
        self.job, self.future = None, self._ask(tasks.rest)

    def leave(self) -> None:
        self.job = self.tenant = self.future = None

    def room(self) -> int | None:
        """Bytes that a job could have here if others took no more; None if the process died."""
        future = self._ask(tasks.free)
        if (free := _outcome(future)) is None:
            self.future = future
            return None
        return free + int(self.board[HELD])

    def _ask(self, call: Callable[..., T], *given: object) -> Future[T]:
        try:
            return self.executor.submit(call, *given)
        except BrokenProcessPool as e:  # it died while it had nothing to do
            failed: Future[T] = Future()
            failed.set_exception(e)
            return failed


class _Door:
    """Lets jobs begin; those that have no kind, at once."""

    def __init__(self, kinds: Mapping[int, Kind | None]) -> None:
        self._kinds = kinds
        self._ledger = Ledger()
        self._told: set[tuple[str, Kind]] = set()

    def let_in(self, waiting: dict[int, Job], crew: Sequence[_Worker]) -> None:
        for gpu in dict.fromkeys(worker.gpu for worker in crew):
            for worker in [each for each in crew if each.gpu == gpu and each.future is None]:
                i = self._next(waiting, worker, _tenants(crew, gpu))
                if i is None:
                    break  # nor is there a place for the others here
                kind = self._kinds.get(i)
                measured = kind is not None and self._ledger.need(kind) is None
                worker.work(i, waiting.pop(i), kind, measured=measured)

    def _next(
        self, waiting: Mapping[int, Job], worker: _Worker, beside: Sequence[Tenant]
    ) -> int | None:
        """The first that may begin; the memory is looked at only where it decides."""
        free = [i for i in waiting if not beside or self._kinds.get(i) is None]
        if free or not waiting or measuring(beside):
            return free[0] if free else None
        if (room := worker.room()) is None:
            return None
        for i, job in waiting.items():
            kind = self._kinds[i]
            if kind and self._ledger.fits(kind, room, beside):
                return i
            if kind and (need := self._ledger.need(kind)) and (worker.gpu, kind) not in self._told:
                self._told.add((worker.gpu, kind))
                left, count = max(0, room - self._ledger.promised(beside)), len(beside)
                _log.warning(
                    "%s: waiting for memory on GPU %s (%d job%s there, %s left, it needs %s and %s "
                    "to spare)",
                    *(job.label, worker.gpu or "0", count, "s" * (count > 1)),
                    *(gib(left), gib(need), gib(MARGIN)),
                )
        return None

    def look(self, crew: Sequence[_Worker]) -> None:
        """Read what jobs took so far."""
        for worker in crew:
            self._read(worker)

    def _read(self, worker: _Worker, *, done: bool = False) -> None:
        board, tenant = worker.board, worker.tenant
        stage = board[STAGE]  # written last, so it is read first
        whole = stage == WHOLE or (done and stage == AT_WORK)
        if tenant and self._ledger.saw(tenant, board[HELD], board[MOST], whole=whole):
            _log.info("%s: takes %s of GPU %s", worker.label, gib(board[MOST]), worker.gpu or "0")

    def let_out(self, worker: _Worker, crew: Sequence[_Worker], outcome: object) -> None:
        """What a worker was at has ended, or the worker itself, where there is no `outcome`."""
        if tenant := worker.tenant:
            error = outcome.error if isinstance(outcome, Finished) else None
            self._read(worker, done=isinstance(outcome, Finished) and error is None)
            if isinstance(error, DeviceMemoryError) and len(_tenants(crew, worker.gpu)) > 1:
                self._ledger.ran_out(tenant)
        if isinstance(outcome, Finished) and tenant:
            worker.rest()
        else:
            worker.leave()


def _tenants(crew: Sequence[_Worker], gpu: str) -> list[Tenant]:
    return [worker.tenant for worker in crew if worker.gpu == gpu and worker.tenant]
