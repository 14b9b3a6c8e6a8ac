"""Calls on other machines as one job array of Slurm, or beside each other on this one, by submitit.

Whoever started the array waits for it. A job that comes to the end of its time, or has to make room
for another, is put into the queue again by itself, and goes on where it was.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar, get_type_hints

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.spec import convert, refuse_unknown

T = TypeVar("T")

_PAUSE = {"slurm": 10.0, "local": 0.2}  # seconds between two looks at the jobs
_EXAMPLE = "partition=gpu,gpus=1,cpus=4,timeout-min=240"


@dataclass(frozen=True)
class JobArray:
    """What each job of an array may use; what is None is left to the cluster."""

    cluster: Literal["slurm", "local"] = "slurm"
    partition: str | None = None
    timeout_min: int = 60
    gpus: int | None = None
    cpus: int = 1
    mem: int | None = None  # GB
    array_parallelism: int | None = None  # jobs at once; None: all, locally one for each core
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    name: str = "robustmix"
    folder: str | None = None  # for scripts and logs; None: .submitit beside the runs

    @classmethod
    def parse(cls, text: str) -> Self:
        """``partition=gpu,timeout-min=240``.

        Raises:
            UsageError: no such key, or a value that it cannot have.
        """
        hints, values = get_type_hints(cls), dict[str, Any]()
        for item in text.split(","):
            key, equals, value = (part.strip() for part in item.partition("="))
            if not (equals and key and value):
                raise UsageError(f"--submitit {text}: expected KEY=VALUE,..., as {_EXAMPLE}")
            refuse_unknown([key], {f.name.replace("_", "-") for f in fields(cls)}, "--submitit")
            if key.replace("-", "_") in values:
                raise UsageError(f"--submitit: {key} is given twice")
            hint, where = hints[key.replace("-", "_")], f"--submitit: {key}"
            found = convert(value, hint, where)
            least = 0 if key == "gpus" else 1
            if isinstance(found, int) and found < least:
                raise UsageError(f"{where} must be {least} or more; got {value}")
            values[key.replace("-", "_")] = found
        return cls(**values)

    @property
    def _parameters(self) -> dict[str, Any]:
        """As submitit calls them; it heeds those of Slurm on Slurm only."""
        given = asdict(self)
        general = {"name": "name", "timeout_min": "timeout_min", "mem": "mem_gb"}
        general |= {"cpus": "cpus_per_task", "gpus": "gpus_per_node"}
        of_slurm = ("partition", "array_parallelism", "account", "qos", "constraint")
        found = {theirs: given[ours] for ours, theirs in general.items()}
        found |= {f"slurm_{key}": given[key] for key in of_slurm}
        return {key: value for key, value in found.items() if value is not None}

    def stream(
        self, calls: Mapping[int, Callable[[], T]], folder: Path
    ) -> Generator[tuple[int, T | RunError], None, None]:
        """Results as they come; an error for a job that ended without one.

        Who stops listening, as by Ctrl-C, cancels what is left.

        Raises:
            UsageError: submitit is not installed, or there is no such cluster here.
            RunError: the cluster refuses the jobs.
        """
        executor = self._executor(Path(self.folder).expanduser() if self.folder else folder)
        waiting = {i: _Again(call) for i, call in calls.items()}
        running: dict[int, Any] = {}
        try:
            while waiting or running:
                running |= self._submit(executor, waiting, running)
                for i, job in [(i, job) for i, job in running.items() if job.done()]:
                    del running[i]
                    yield i, _result(job)
                if running:
                    time.sleep(_PAUSE[self.cluster])
        finally:
            for job in running.values():
                with contextlib.suppress(Exception):  # it ended by itself, or the cluster is gone
                    job.cancel(check=False)

    def _executor(self, folder: Path) -> Any:
        try:
            submitit: Any = importlib.import_module("submitit")
        except ImportError as e:
            raise UsageError('--submitit needs submitit: pip install "robustmix[submitit]"') from e
        try:
            executor = submitit.AutoExecutor(folder=_fresh(folder), cluster=self.cluster)
        except RuntimeError as e:
            raise UsageError(
                "--submitit: there is no Slurm on this machine (no srun); "
                "to run the jobs here: --submitit cluster=local"
            ) from e
        executor.update_parameters(**self._parameters)
        return executor

    def _submit(
        self, executor: Any, waiting: dict[int, _Again[T]], running: Mapping[int, Any]
    ) -> dict[int, Any]:
        """All at once on a cluster, whose queue knows how many may run; here as many as fit."""
        room = len(waiting)
        if self.cluster == "local":
            room = max(0, (self.array_parallelism or os.cpu_count() or 1) - len(running))
        chosen = {i: waiting.pop(i) for i in list(waiting)[:room]}
        if not chosen:
            return {}
        try:
            with _no_stderr(), executor.batch():
                jobs = [executor.submit(call) for call in chosen.values()]
        except Exception as e:  # whatever sbatch answered
            last = (str(e).strip() or type(e).__name__).splitlines()[-1]
            raise RunError(f"--submitit: the cluster refuses the jobs: {last}") from e
        return dict(zip(chosen, jobs, strict=True))


@dataclass(frozen=True)
class _Again(Generic[T]):
    """A call that may be made again after it was cut short, because it goes on where it was."""

    call: Callable[[], T]

    def __call__(self) -> T:
        return self.call()

    def checkpoint(self) -> Any:
        """Called by submitit shortly before the time is up; what it gives is put into the queue."""
        return importlib.import_module("submitit").helpers.DelayedSubmission(self)


def _fresh(folder: Path) -> Path:
    """A new folder in it: numbers of processes return, and with them names of results."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=folder.absolute()))


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    """For processes that are started meanwhile: their jobs have logs, and they only tracebacks."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _result(job: Any) -> Any:
    try:
        return job.result()
    except Exception as e:  # killed, out of time once too often, out of memory
        reason = (str(e).strip() or type(e).__name__).splitlines()[0]
        log = job.paths.stderr
        return RunError(f"{reason} (log: {log}); the same command goes on where it was")
