"""Many jobs, wherever they run.

A job whose result exists is not run again; one that fails does not stop the others. What needs the
result of another job comes after it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch

from robustbench_cli.errors import DeviceMemoryError, RobustmixError, RunError
from robustbench_cli.jobs import Job
from robustbench_cli.worker import Orders

from . import cluster
from .attempt import Finished, attempt, attempt_far
from .gpu_memory import Cuda, Meter
from .job_array import JobArray
from .pool import stream

_log = logging.getLogger(__name__)

KILLED = "its process was killed (out of memory?); try fewer --jobs, then the same command"


class Watcher(Protocol):
    """Told how the work goes on."""

    def begin(self, jobs: int, finished: int, workers: int) -> None: ...
    def step(self, job: Job, done: int, total: int, text: Callable[[], str]) -> None: ...
    def end(self, finished: Finished) -> None: ...


@dataclass(frozen=True)
class Workers:
    """How many jobs run at once, and what each may use."""

    count: int = 1
    gpus_per_job: float = 1.0
    ray: str | None = None  # address of a cluster, or "auto"
    array: JobArray | None = None
    setup: Callable[[], None] | None = None  # called once in each process
    meter: Meter = field(default_factory=Cuda)  # of the GPUs, where there are some

    @property
    def here(self) -> int:
        """How many jobs run at once on this machine, as far as this process decides it."""
        return 1 if self.ray or self.array else self.count


def run_jobs(
    jobs: Sequence[Job], workers: Workers | None = None, watcher: Watcher | None = None
) -> list[Finished]:
    """Run what is not done; results in the order of `jobs`.

    Failures are returned, not raised: what succeeded is kept.
    """
    workers = workers or Workers()
    looked = {i: _looked_at(job) for i, job in enumerate(jobs)}
    results = {i: finished for i, finished in looked.items() if finished}
    waiting = {i: job for i, job in enumerate(jobs) if i not in results}
    if watcher:
        earlier = [finished for finished in results.values() if not finished.error]
        watcher.begin(len(jobs), len(earlier), min(workers.here, max(len(waiting), 1)))
        for finished in results.values():
            if finished.error:
                watcher.end(finished)
    while waiting:
        now = _possible(waiting)
        for i, finished in _stream(now, workers, watcher):
            results[i] = finished
            if watcher:
                watcher.end(finished)
        waiting = {i: job for i, job in waiting.items() if i not in now}
    return [results[i] for i in range(len(jobs))]


def _possible(jobs: dict[int, Job]) -> dict[int, Job]:
    """Those that need none of the others; all where each needs another, and will say so."""
    missing = {job.path.absolute() for job in jobs.values()}
    wanted = {i: {path.absolute() for path in job.needs} for i, job in jobs.items()}
    return {i: job for i, job in jobs.items() if missing.isdisjoint(wanted[i])} or jobs


def _stream(
    jobs: dict[int, Job], workers: Workers, watcher: Watcher | None
) -> Iterator[tuple[int, Finished]]:
    if workers.ray:
        return cluster.stream(jobs, workers.ray, workers.gpus_per_job, workers.setup)
    if workers.array:
        return _in_array(jobs, workers.array, workers)
    if workers.count > 1 and len(jobs) > 1:
        return _in_processes(jobs, workers)
    return _one_by_one(jobs, watcher)


def _looked_at(job: Job) -> Finished | None:
    """What is known of a job before it runs: that it is done, or that its run is damaged."""
    try:
        return Finished(job, job.path) if job.done() else None
    except RobustmixError as e:
        return Finished(job, error=e)


def side_by_side(most: int = 8) -> int:
    """How many jobs at most suit this machine: one per core, and at least one per GPU.

    On small networks a second thread slows the first one down; a second process does not. How many
    a GPU takes its memory says, once they run.
    """
    return min(most, max(torch.cuda.device_count(), os.cpu_count() or 1))


def _one_by_one(jobs: dict[int, Job], watcher: Watcher | None) -> Iterator[tuple[int, Finished]]:
    for i, job in jobs.items():
        yield i, attempt(job, watcher.step if watcher else None)


def _in_processes(jobs: dict[int, Job], workers: Workers) -> Iterator[tuple[int, Finished]]:
    """Where a process dies, most often for want of memory, half as many go on with what is left.

    So do, when the others are through, those that found too little memory on a device that they
    shared; of GPUs each is one's own then, as their memory had a say already in who shares them.
    A job is blamed only where it was alone.
    """
    count, left = min(workers.count, len(jobs)), dict(jobs)
    while left:
        died, devices = False, _devices(count, workers.gpus_per_job)
        crowded = devices < count
        for i, finished in _in_pool(left, count, workers):
            if finished is None:
                died = True
                continue
            if crowded and isinstance(finished.error, DeviceMemoryError):
                _log.warning("%s: too little memory beside others; again later", left[i].label)
                continue
            left = {k: job for k, job in left.items() if k != i}
            yield i, finished
        for i, finished in [(i, _looked_at(job)) for i, job in left.items()]:
            if finished:  # its process died after the work
                del left[i]
                yield i, finished
        if left and count == 1:  # a pool of one takes the jobs in their order
            i = next(iter(left))
            yield i, Finished(left.pop(i), error=RunError(KILLED))
        half = count // 2
        fewer = min(half, devices) if torch.cuda.device_count() and not died else half
        if left and died and half:
            _log.warning("a process was killed (out of memory?); at most %d at once now", half)
        count = max(1, min(fewer, len(left)))


def _in_pool(
    jobs: dict[int, Job], count: int, workers: Workers
) -> Iterator[tuple[int, Finished | None]]:
    """The jobs as they end; None for each that was not done when one of the processes died."""
    threads = max(1, (os.cpu_count() or 1) // count)
    gpus = [_gpus_of(worker, workers.gpus_per_job) for worker in range(count)]
    meter = workers.meter if torch.cuda.device_count() else None
    return stream(jobs, gpus, Orders(threads, workers.setup), meter)


def _gpus_of(worker: int, per_job: float) -> str:
    """The value of CUDA_VISIBLE_DEVICES for a worker; empty to leave it alone.

    Where this process has one itself, the workers' are from its list.
    """
    gpus = torch.cuda.device_count()
    if gpus == 0 or per_job <= 0:
        return ""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in listed.split(",") if name.strip()][:gpus]
    names = names if len(names) == gpus else [str(i) for i in range(gpus)]
    first = int(worker * per_job) % gpus
    return ",".join(names[(first + i) % gpus] for i in range(max(1, int(per_job))))


def _devices(count: int, per_job: float) -> int:
    """On how many so many workers compute; each does so on the first that it sees."""
    return len({_gpus_of(worker, per_job).partition(",")[0] for worker in range(count)})


def _in_array(
    jobs: dict[int, Job], array: JobArray, workers: Workers
) -> Iterator[tuple[int, Finished]]:
    orders = Orders(threads=array.cpus, setup=workers.setup)
    folder = next(iter(jobs.values())).home.parent / ".submitit"
    calls = {i: partial(attempt_far, orders, job) for i, job in jobs.items()}
    with closing(array.stream(calls, folder)) as ended:
        for i, found in ended:
            yield i, Finished(jobs[i], error=found) if isinstance(found, RunError) else found
