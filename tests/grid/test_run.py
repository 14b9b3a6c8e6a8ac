"""Many jobs at once: failures stay apart, and workers give the bytes that one process gives."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from file_job import FileJob
from tiny import attack_job, contents, train_job

from robustbench_cli.errors import DeviceMemoryError, RunError, UsageError
from robustbench_cli.grid import Finished, Workers, attempt, run, run_jobs, side_by_side
from robustbench_cli.jobs import Job
from robustbench_cli.progress import Progress
from robustbench_cli.runs.run import load_runs
from robustbench_cli.spec import allow_code


@dataclass(frozen=True)
class Note(FileJob):
    """Writes its name, or comes to grief."""

    trouble: str = ""

    def done(self) -> bool:
        if self.trouble == "damaged":
            raise RunError(f"{self.path} is damaged")
        return super().done()

    def run(self, progress: Progress | None = None) -> Path:
        if self.trouble == "ours":
            raise UsageError("no such method")
        if self.trouble == "theirs":
            raise ZeroDivisionError("division\nby zero")
        if self.trouble == "memory":
            raise MemoryError
        if self.trouble == "device memory":
            raise torch.OutOfMemoryError("CUDA out of memory")
        if self.trouble == "death":
            os._exit(9)
        if progress:
            progress(1, 1, lambda: "written")
        self.path.write_text(str(os.getpid()))
        return self.path


@dataclass
class Told:
    """A watcher that remembers."""

    begun: list[tuple[int, int, int]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    ended: list[Finished] = field(default_factory=list)

    def begin(self, jobs: int, finished: int, workers: int) -> None:
        self.begun.append((jobs, finished, workers))

    def step(self, job: Job, done: int, total: int, text: Callable[[], str]) -> None:
        self.steps.append(f"{job.label} {done}/{total} {text()}")

    def end(self, finished: Finished) -> None:
        self.ended.append(finished)


@dataclass(frozen=True)
class Copied(Note):
    """Reads what it needs."""

    def run(self, progress: Progress | None = None) -> Path:
        self.path.write_text("+".join(path.read_text() for path in self.needs) or "alone")
        return self.path


@pytest.mark.parametrize("count", [1, 2])
def test_what_needs_another_job_comes_after_it(tmp_path: Path, count: int) -> None:
    a, b, c = (tmp_path / name for name in "abc")
    jobs = [Copied(c, needs=(a, b)), Copied(b, needs=(a,)), Copied(a)]
    finished = run_jobs(jobs, Workers(count))
    assert [f.path for f in finished] == [c, b, a]
    assert c.read_text() == "alone+alone"
    again = run_jobs([Copied(tmp_path / "d", needs=(c,)), Copied(c)], Workers(count))
    assert [f.error for f in again] == [None, None]


def test_jobs_that_need_each_other_say_so_and_do_not_wait(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    finished = run_jobs([Copied(a, needs=(b,)), Copied(b, needs=(a,))])
    assert all("FileNotFoundError" in str(each.error) for each in finished)


def test_results_come_in_the_order_of_the_jobs(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("earlier")
    jobs = [Note(tmp_path / name) for name in "abc"]
    told = Told()
    finished = run_jobs(jobs, watcher=told)
    assert [f.path for f in finished] == [job.path for job in jobs]
    assert (tmp_path / "b").read_text() == "earlier", "not done again"
    assert told.begun == [(3, 1, 1)] and told.steps == ["a 1/1 written", "c 1/1 written"]
    assert [f.job.label for f in told.ended] == ["a", "c"]


@pytest.mark.parametrize(
    ("trouble", "message", "code"),
    [
        ("ours", "no such method", 2),
        ("theirs", "ZeroDivisionError: division; type --debug to see where", 1),
        ("memory", "MemoryError", 1),
        ("damaged", "is damaged", 1),
    ],
)
def test_a_failure_does_not_stop_the_others(
    tmp_path: Path, trouble: str, message: str, code: int
) -> None:
    told = Told()
    jobs = [Note(tmp_path / "a"), Note(tmp_path / "b", trouble), Note(tmp_path / "c")]
    first, failed, last = run_jobs(jobs, watcher=told)
    assert first.path and last.path and last.path.is_file()
    assert failed.path is None and failed.error is not None
    assert message in str(failed.error) and failed.error.exit_code == code
    assert len(told.ended) == 3 and told.begun == [(3, 0, 1)]


def test_an_interrupt_stops_everything(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    told = Told()
    told.step = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run_jobs([Note(tmp_path / "a"), Note(tmp_path / "b")], watcher=told)
    assert not (tmp_path / "b").exists()


def test_no_jobs() -> None:
    assert run_jobs([]) == []


OWN = """
from robustbench_cli import Method

class Blur(Method):
    \"\"\"Changes nothing.\"\"\"
"""


@pytest.mark.slow
def test_workers_give_the_bytes_of_one_process(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training and attacking, in another process, in another order, with code of the user's."""
    Path("own_lab_for_workers.py").write_text(OWN)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("robustbench_cli.spec.registry._allowed", set())
    allow_code("own_lab_for_workers")  # as if typed; the workers must be told
    shutil.copytree(runs, "alone")
    for folder, count in (("runs", 2), ("alone", 1)):
        jobs: list[Job] = [
            attack_job(run.path, attack)
            for run in load_runs(folder)
            for attack in ("linf-fgsm", "linf-pgd:steps=3")
        ]
        jobs += [
            train_job(Path(folder), method=method, seed=seed)
            for method in ("als", "own_lab_for_workers:Blur")
            for seed in (0, 1)
        ]
        finished = run_jobs(jobs, Workers(count))
        assert [str(f.error) for f in finished if f.error] == []
        assert [f.path for f in finished] == [job.path for job in jobs]
    for pattern, count in (("*/model.safetensors", 7), ("*/attacks/*.csv.gz", 6)):
        assert len(contents(runs, pattern)) == count
        assert contents(runs, pattern) == contents(Path("alone"), pattern)


@pytest.mark.slow
def test_failures_in_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that raises, one that takes its process with it; and nothing hangs."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    troubles = enumerate(("theirs", "device memory", "death"))
    jobs: dict[int, Job] = {i: Note(tmp_path / trouble, trouble) for i, trouble in troubles}
    (_, raised), (_, crowded), (_, died) = run._in_processes(jobs, Workers(1))
    assert isinstance(crowded.error, DeviceMemoryError), "by its class also from there"
    assert "ZeroDivisionError: division; type --debug" in str(raised.error)
    assert "its process was killed (out of memory?)" in str(died.error)


def test_a_process_that_dies_takes_no_other_job_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Half as many processes go on; who is blamed was alone; who had finished is not asked again"""
    jobs = [Note(tmp_path / name, "death" * (name == "b")) for name in "abcdef"]
    pools: list[tuple[str, int]] = []

    def pool(left: dict[int, Job], count: int, _: Workers) -> Iterator[tuple[int, Any]]:
        pools.append(("".join(job.label for job in left.values()), count))
        for place, (i, job) in enumerate(left.items()):
            if job.label == "b":  # the others that had begun are lost, too, but for their files
                jobs[5].run()
                yield from ((lost, None) for lost in [*left][place:])
                return
            yield i, attempt(job)

    monkeypatch.setattr(run, "_in_pool", pool)
    finished = run_jobs(jobs, Workers(4))
    assert [bool(f.error) for f in finished] == [False, True, False, False, False, False]
    assert [f.path for f in finished if f.path] == [tmp_path / name for name in "acdef"]
    assert pools == [("abcdef", 4), ("bcde", 2), ("bcde", 1), ("cde", 1)]
    killed = "a process was killed (out of memory?); at most {} at once now"
    assert caplog.messages == [killed.format(2), killed.format(1)]


@dataclass(frozen=True)
class Needy(Note):
    """Needs so much of the memory of a made-up device."""

    need: int = 1


@dataclass
class Device:
    """So much memory, and a pool whose workers have all begun before the first of them ends."""

    memory: int
    pools: list[tuple[str, int]] = field(default_factory=list)

    def pool(
        self, left: dict[int, Job], count: int, _: Workers
    ) -> Iterator[tuple[int, Finished | None]]:
        self.pools.append(("".join(job.label for job in left.values()), count))
        waiting = list(left.items())
        while waiting:
            begun, waiting = waiting[:count], waiting[count:]
            free = self.memory
            for i, job in begun:
                assert isinstance(job, Needy)
                if fits := job.need <= free:
                    free -= job.need
                yield i, attempt(job if fits else replace(job, trouble="device memory"))


def test_what_does_not_fit_beside_others_is_tried_with_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    device = Device(memory=10)
    monkeypatch.setattr(run, "_in_pool", device.pool)
    needs = {"a": 2, "b": 7, "c": 7, "d": 11, "e": 1, "f": 2}
    finished = run_jobs([Needy(tmp_path / n, need=size) for n, size in needs.items()], Workers(4))
    failed = {f.job.label: str(f.error) for f in finished if f.error}
    assert failed == {"d": "the device is out of memory; try --batch-size 32"}, "not even alone"
    assert [f.path for f in finished if f.path] == [tmp_path / name for name in "abcef"]
    assert device.pools == [("abcdef", 4), ("cd", 2), ("d", 1)]
    assert caplog.messages[0] == "c: too little memory beside others; again later"


@pytest.mark.parametrize(
    ("gpus", "jobs", "pools"),
    [
        (1, "abcdefgh", [("abcdefgh", 8), ("abcdefgh", 1)]),  # once more, each by itself
        (2, "ab", [("ab", 2)]),  # each had one alone
    ],
)
def test_what_does_not_fit_on_a_gpu_alone_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: int, jobs: str, pools: object
) -> None:
    device = Device(memory=0)
    monkeypatch.setattr(run, "_in_pool", device.pool)
    monkeypatch.setattr(run.torch.cuda, "device_count", lambda: gpus)
    finished = run_jobs([Needy(tmp_path / name) for name in jobs], Workers(len(jobs)))
    assert all(f.error for f in finished) and device.pools == pools


@pytest.mark.parametrize(
    ("gpus", "count", "per_job", "devices"),
    [
        *((0, 1, 1, 1), (0, 2, 1, 1), (1, 1, 1, 1), (1, 2, 1, 1)),
        *((4, 4, 1, 4), (4, 5, 1, 4), (4, 2, 0.5, 1), (4, 2, 2, 2), (4, 3, 2, 2)),
    ],
)
def test_on_how_many_devices_workers_compute(
    monkeypatch: pytest.MonkeyPatch, gpus: int, count: int, per_job: float, devices: int
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(run.torch.cuda, "device_count", lambda: gpus)
    assert run._devices(count, per_job) == devices


def test_without_ray_its_option_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r'--ray needs Ray: pip install "robustmix\[ray\]"'):
        run_jobs([Note(tmp_path / "a")], Workers(ray="local"))


def test_jobs_side_by_side_are_at_least_one_and_at_most_eight() -> None:
    assert 1 <= side_by_side() <= 8 and side_by_side(1) == 1


@pytest.mark.parametrize(
    ("listed", "per_job", "expected"),
    [
        (None, 1, ["0", "1", "2", "0"]),
        ("5,6,7", 1, ["5", "6", "7", "5"]),
        ("GPU-a, GPU-b,GPU-c", 2, ["GPU-a,GPU-b", "GPU-c,GPU-a", "GPU-b,GPU-c", "GPU-a,GPU-b"]),
        ("5,6,7", 0.5, ["5", "5", "6", "6"]),
        ("5,6,7", 0, ["", "", "", ""]),
    ],
)
def test_workers_share_the_gpus_that_their_parent_may_use(
    monkeypatch: pytest.MonkeyPatch, listed: str | None, per_job: float, expected: list[str]
) -> None:
    monkeypatch.setattr(run.torch.cuda, "device_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if listed:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    assert [run._gpus_of(worker, per_job) for worker in range(4)] == expected
