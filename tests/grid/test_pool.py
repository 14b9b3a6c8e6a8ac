"""Processes side by side: who begins when, on made-up GPUs; and two that are real."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from file_job import FileJob
from hypothesis import given
from hypothesis import strategies as st
from tiny import train_job

from robustbench_cli.errors import DeviceMemoryError, RunError
from robustbench_cli.grid import Workers, pool, run, run_jobs
from robustbench_cli.grid.attempt import Finished
from robustbench_cli.grid.pool import _Door
from robustbench_cli.jobs.kind import Kind
from robustbench_cli.progress import Progress
from robustbench_cli.worker import Orders

GIB = 2**30


# --- a clock that ticks, and no processes ---


@dataclass(frozen=True)
class Load:
    """Holds more with each tick, until it has what it needs; ends some ticks later."""

    label: str
    need: int = 3 * GIB
    ramp: int = 2
    ticks: int = 6
    name: str = "load"
    breaks: int = 0
    """At this tick it fails, for a reason of its own."""
    idle: bool = False
    """Finds its work done by another process."""

    @property
    def kind(self) -> Kind | None:
        return Kind((self.name,)) if self.name else None

    def held(self, age: int) -> int:
        return 0 if self.idle else self.need * min(age, self.ramp) // self.ramp


@dataclass
class Gpu:
    memory: int = 8 * GIB
    others: int = 0
    """What other programs hold."""
    crew: list[Hand] = field(default_factory=list)

    @property
    def free(self) -> int:
        return self.memory - self.others - sum(hand.held for hand in self.crew)


@dataclass
class Hand:
    """Stands for a worker, in the time of a simulation."""

    place: Gpu
    gpu: str = "0"
    board: list[int] = field(default_factory=lambda: [0, 0, 0])
    load: Load | None = None
    tenant: Any = None
    future: Future[Any] | None = None
    label: str = ""
    age: int = 0
    asked: int = 0
    rests: bool = False
    """After a load, whose memory is given back with the next tick."""

    @property
    def held(self) -> int:
        return self.load.held(self.age) if self.load else 0

    def room(self) -> int:
        self.asked += 1
        return self.place.free

    def work(self, i: int, job: Load, kind: Kind | None, *, measured: bool) -> None:
        self.tenant = pool.Tenant(kind, measured, self.board[0]) if kind else None
        self.load, self.label, self.age, self.future = job, job.label, 0, Future()

    def rest(self) -> None:
        self.rests = True

    def leave(self) -> None:
        self.tenant = self.load = self.future = None
        self.board[:], self.rests = [0, 0, 0], False


@dataclass
class Day:
    """What a simulation saw: who was at work after each tick, and the memory that was left."""

    at_work: list[list[str]] = field(default_factory=list)
    free: list[int] = field(default_factory=list)
    measured: int = 0
    ran_out: list[str] = field(default_factory=list)
    surprised: list[str] = field(default_factory=list)
    """Who ran out of memory though what it needs was known."""

    @property
    def most(self) -> int:
        return max(map(len, self.at_work))


def simulate(loads: list[Load], gpus: list[Gpu], hands: int = 4, *, every: int = 1) -> Day:
    """All that the parent decides, tick by tick; boards are read, and jobs begin, `every` few."""
    crew = [Hand(place, gpu=str(number)) for number, place in enumerate(gpus) for _ in range(hands)]
    for place in gpus:
        place.crew = [hand for hand in crew if hand.place is place]
    waiting: dict[int, Any] = dict(enumerate(loads))
    door, day = _Door({i: load.kind for i, load in waiting.items()}), Day()
    for tick in range(10_000):
        if tick % every == 0:
            door.look(crew)  # type: ignore[arg-type]
            door.let_in(waiting, crew)  # type: ignore[arg-type]
        day.at_work.append([hand.label for hand in crew if hand.load and not hand.rests])
        for place in gpus:
            measured = [hand for hand in place.crew if hand.tenant and hand.tenant.measured]
            day.measured = max(day.measured, len(measured))
        if not waiting and not day.at_work[-1]:
            return day
        for hand in crew:
            if (load := hand.load) is None:
                continue
            if hand.rests:
                door.let_out(hand, crew, outcome=True)  # type: ignore[arg-type]
                continue
            hand.age += 1
            if hand.place.free < 0:
                day.ran_out.append(load.label)
                if not hand.tenant.measured:
                    day.surprised.append(load.label)
                hand.age -= 1  # it did not get what it asked for
                error = DeviceMemoryError("too little")
                door.let_out(hand, crew, Finished(load, error=error))  # type: ignore[arg-type]
                continue
            hand.board[:] = [hand.held, hand.held, 1 + (hand.age > load.ramp)]
            if load.idle:  # another process did its work meanwhile
                hand.board[:] = [0, 0, 0]
            if hand.age == load.breaks:
                failed = Finished(load, error=RunError("no such file"))  # type: ignore[arg-type]
                door.let_out(hand, crew, failed)  # type: ignore[arg-type]
            elif hand.age == load.ticks:
                finished = Finished(load, Path(load.label))  # type: ignore[arg-type]
                door.let_out(hand, crew, finished)  # type: ignore[arg-type]
        day.free.append(min(place.free for place in gpus))
    raise AssertionError(f"{len(waiting)} jobs never began")


def several(count: int, **options: Any) -> list[Load]:
    return [Load(f"{options.get('name', 'load')} {i}", **options) for i in range(count)]


def test_as_many_as_fit_and_no_more() -> None:
    day = simulate(several(6), [Gpu()])
    assert day.most == 2 and min(day.free) >= 0 and not day.ran_out
    assert day.at_work[0] == ["load 0"], "the first is measured by itself"


def test_small_ones_use_every_worker() -> None:
    assert simulate(several(9, need=GIB), [Gpu()]).most == 4


def test_memory_of_other_programs_counts() -> None:
    assert simulate(several(6), [Gpu(others=3 * GIB)]).most == 1
    assert simulate(several(6), [Gpu(memory=12 * GIB, others=2 * GIB)]).most == 3


@pytest.mark.parametrize("others", [6 * GIB, 8 * GIB])
def test_one_always_works_even_where_it_cannot_fit(others: int) -> None:
    """That one runs out of memory, by itself; nothing waits for ever."""
    day = simulate(several(3), [Gpu(others=others)])
    assert day.most == 1 and day.ran_out == ["load 0", "load 1", "load 2"]


def test_kinds_that_are_not_known_are_measured_one_at_a_time() -> None:
    loads = [Load(name, need=GIB, name=name) for name in "abcdef"]
    day = simulate(loads, [Gpu()])
    assert day.measured == 1 and day.most > 1


def test_each_gpu_has_its_own_memory() -> None:
    day = simulate(several(8, ticks=20), [Gpu(), Gpu(others=3 * GIB)])
    assert day.most == 3 and not day.ran_out


def test_what_a_gpu_learned_the_other_knows() -> None:
    loads = several(2, ticks=20) + several(4)
    day = simulate(loads, [Gpu(), Gpu()])
    assert day.at_work[0] == ["load 0", "load 1"], "on each, one begins at once"


def test_what_is_half_measured_on_one_gpu_is_not_known_on_the_other() -> None:
    loads = [Load("x 0", ramp=8, ticks=12), Load("other", need=GIB, ticks=30, name="other")]
    day = simulate([*loads, *several(3, ramp=4)], [Gpu(), Gpu()])
    assert not day.ran_out and day.most == 4


def test_who_ran_out_beside_others_is_not_let_in_beside_them_again() -> None:
    loads = [Load("small", need=GIB, ticks=30, name="small")]
    loads += [Load(f"large {i}", need=9 * GIB, ramp=4, name="large") for i in range(2)]
    day = simulate(loads, [Gpu(memory=9 * GIB)])
    assert day.ran_out == ["large 0"]
    assert ["large 1"] in day.at_work and day.at_work.count(["small", "large 1"]) == 0


def test_what_failed_before_it_was_measured_says_nothing_of_its_kind() -> None:
    loads = [Load("other", need=GIB, ticks=20, name="other"), Load("broken", breaks=1)]
    day = simulate([*loads, *several(4)], [Gpu()])
    assert not day.ran_out and ["other", "load 0", "load 1"] in day.at_work


def test_what_another_process_did_says_nothing_of_its_kind() -> None:
    loads = [Load("other", need=GIB, ticks=20, name="other"), Load("done", idle=True)]
    day = simulate([*loads, *several(4)], [Gpu()])
    assert not day.ran_out and ["other", "load 0", "load 1"] in day.at_work


def test_jobs_that_use_no_gpu_never_wait_and_nobody_looks() -> None:
    gpu = Gpu(others=8 * GIB)
    assert simulate(several(4, need=0, name=""), [gpu]).most == 4
    assert [hand.asked for hand in gpu.crew] == [0, 0, 0, 0]


@given(
    needs=st.lists(st.integers(1, 60), min_size=1, max_size=3),
    order=st.lists(st.tuples(*(st.integers(0, most) for most in (2, 4, 9, 9))), max_size=12),
    others=st.integers(0, 40),
    hands=st.integers(1, 5),
    every=st.integers(1, 3),
    gpus=st.integers(1, 2),
)
def test_whatever_comes_all_end_and_only_an_unknown_kind_can_run_out(
    needs: list[int],
    order: list[tuple[int, int, int, int]],
    others: int,
    hands: int,
    every: int,
    gpus: int,
) -> None:
    tenth = GIB // 10
    loads = [
        Load(str(i), needs[kind % len(needs)] * tenth, ramp + 1, ramp + 2 + rest, str(kind), breaks)
        for i, (kind, ramp, rest, breaks) in enumerate(order)
    ]
    places = [Gpu(memory=80 * tenth, others=others * tenth) for _ in range(gpus)]
    day = simulate(loads, places, hands, every=every)
    assert day.measured <= 1
    if max(needs) <= 80 - others:
        assert not day.surprised
        assert len({load.name for load in loads}) != 1 or not day.ran_out


def test_what_was_measured_can_be_heard(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "robustbench_cli"):
        simulate(several(2, need=GIB), [Gpu()])
    assert caplog.messages == ["load 0: takes 1.0 GiB of GPU 0"]


def test_a_job_that_waits_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    simulate(several(6), [Gpu()])
    assert caplog.messages == [
        "load 2: waiting for memory on GPU 0 (2 jobs there, 2.0 GiB left, it needs 3.0 GiB and "
        "0.5 GiB to spare)"
    ]


# --- real processes, and a GPU that is a folder ---


@dataclass(frozen=True)
class Folder:
    """A GPU of 8 GiB: a file for each process that holds some of it, as long as it lives."""

    path: Path

    def _works(self) -> None:
        if (self.path / f"{os.getpid()}.broken").exists():
            raise RuntimeError("CUDA error: device-side assert triggered")

    def free(self) -> int:
        held = 0
        for file in self.path.glob("*.held"):
            alive = file.stem == "another program" or Path(f"/proc/{file.stem}").exists()
            held += int(file.read_text() or 0) if alive else 0
        return 8 * GIB - held

    def taken(self) -> tuple[int, int]:
        self._works()
        mine = self.path / f"{os.getpid()}.held"
        held = int(mine.read_text()) if mine.exists() else 0
        return held, held

    def rest(self) -> None:
        self._works()
        (self.path / f"{os.getpid()}.held").write_text("0")


GREEDY = Kind(("greedy",))


@dataclass(frozen=True)
class Greedy(FileJob):
    """Holds 3 GiB for a moment; `dies` at its first try, when it holds them."""

    gpu: Folder
    dies: bool = False
    kind: Kind | None = field(default=GREEDY, kw_only=True)

    def run(self, progress: Progress | None = None) -> Path:
        mine, deadline = self.gpu.path / f"{os.getpid()}.held", time.monotonic() + 60
        while len(list(self.gpu.path.glob("*.held"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)  # all workers are there when the first begins, slow as they may be
        began = time.monotonic()
        for done in range(1, 7):
            mine.write_text(str(min(done, 3) * GIB))
            assert progress and self.gpu.free() >= 0
            progress(done, 6, str)
            time.sleep(0.1)
        if self.dies and not (tried := self.path.with_suffix(".tried")).exists():
            tried.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        self.path.write_text(f"{began} {time.monotonic()}")
        return self.path


def together(paths: list[Path]) -> int:
    """How many were at work at once, at most."""
    times = [tuple(map(float, path.read_text().split())) for path in paths]
    return max(sum(begin <= moment < end for begin, end in times) for moment, _ in times)


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    def start() -> None:
        raise AssertionError("the parent started CUDA")

    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setattr(run.torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "_lazy_init", start)
    return Folder(tmp_path)


def test_an_interrupt_ends_the_workers_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    own = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(100,))
    own.start()
    monkeypatch.setattr(pool, "wait", interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            next(pool.stream({0: train_job(tmp_path)}, ["", ""], Orders(1)))
        deadline = time.monotonic() + 60
        while len(multiprocessing.active_children()) > 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert multiprocessing.active_children() == [own]
    finally:
        own.kill()


unix = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@unix
@pytest.mark.slow
def test_processes_share_a_gpu(
    gpu: Folder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [Greedy(tmp_path / name, gpu) for name in "abcdef"]
    finished = run_jobs(jobs, Workers(3, meter=gpu))
    assert [str(each.error) for each in finished if each.error] == []
    assert together([job.path for job in jobs]) == 2
    assert multiprocessing.active_children() == [], "none holds memory while others begin"
    (said,) = caplog.messages
    assert "waiting for memory on GPU 0 (2 jobs there, " in said and "needs 3.0 GiB" in said


@unix
@pytest.mark.slow
def test_one_that_is_killed_while_others_wait_for_it_holds_nobody_up(
    gpu: Folder, tmp_path: Path
) -> None:
    """There is room for one beside what another program holds."""
    (tmp_path / "another program.held").write_text(str(3 * GIB))
    jobs = [Greedy(tmp_path / "a", gpu, dies=True), *(Greedy(tmp_path / n, gpu) for n in "bcd")]
    finished = run_jobs(jobs, Workers(3, meter=gpu))
    assert [str(each.error) for each in finished if each.error] == []
    assert together([job.path for job in jobs]) == 1


@dataclass(frozen=True)
class Broken(Greedy):
    """Leaves CUDA in a state in which nothing works any more, in its process."""

    def run(self, progress: Progress | None = None) -> Path:
        (self.gpu.path / f"{os.getpid()}.broken").touch()
        raise RuntimeError("CUDA error: device-side assert triggered")


@unix
@pytest.mark.slow
def test_where_one_breaks_cuda_a_new_process_goes_on(gpu: Folder, tmp_path: Path) -> None:
    (tmp_path / "a.held").write_text("0")
    (tmp_path / "b.held").write_text("0")
    jobs: dict[int, Any] = {0: Broken(tmp_path / "broken", gpu), 1: Greedy(tmp_path / "next", gpu)}
    (_, broken), (_, after) = run._in_processes(jobs, Workers(1, meter=gpu))
    assert "device-side assert" in str(broken.error) and after.path == tmp_path / "next"
