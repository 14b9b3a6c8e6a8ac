"""One process at a time at one piece of work, also after a kill."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path

import pytest
from tiny import contents, in_a_process, train_job

from robustbench_cli.errors import RunError
from robustbench_cli.jobs import TrainJob
from robustbench_cli.locks import held
from robustbench_cli.progress import Progress

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of Unix")

HOLD = """
import time, pathlib
from robustbench_cli.locks import held
with held(pathlib.Path("work"), "somebody's work"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_leaves_nothing_behind(tmp_path: Path) -> None:
    with held(tmp_path / "work", "mine") as waited:
        assert not waited and [path.name for path in tmp_path.iterdir()] == [".work.lock"]
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt), held(tmp_path / "work", "mine"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_the_second_says_so_waits_and_knows_that_it_waited(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    order: list[str] = []
    told = threading.Event()

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.set()

    handler = Told()
    logging.getLogger("robustbench_cli").addHandler(handler)

    def second() -> None:
        with held(tmp_path / "work", "ours") as waited:
            order.append(f"second {waited}")

    thread = threading.Thread(target=second)
    with held(tmp_path / "work", "ours"):
        thread.start()
        assert told.wait(20)
        order.append("first")
    thread.join(20)
    logging.getLogger("robustbench_cli").removeHandler(handler)
    assert order == ["first", "second True"]
    assert not list(tmp_path.iterdir())


def test_many_that_meet_are_never_two_at_once(tmp_path: Path) -> None:
    """Locks that are removed while others wait for them let one in all the same."""
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(30):
            with held(tmp_path / "work", "ours"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (inside, most) == (0, 1) and not list(tmp_path.iterdir())


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with in_a_process("-c", HOLD, cwd=tmp_path) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
    assert (tmp_path / ".work.lock").exists()
    with held(tmp_path / "work", "mine") as waited:
        assert not waited
    assert not list(tmp_path.iterdir())


def test_who_waited_for_a_training_does_not_train_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at one run, in two threads as in two processes: the same bytes, trained once."""
    (tmp_path / "alone").mkdir()
    train_job(tmp_path / "alone").run()
    job, met, trained = train_job(tmp_path / "met"), threading.Barrier(2), []
    train = TrainJob._train

    def counted(self: TrainJob, progress: Progress | None) -> Path:
        trained.append(self)
        return train(self, progress)

    def both() -> None:
        met.wait(20)
        job.run()

    monkeypatch.setattr(TrainJob, "_train", counted)

    threads = [threading.Thread(target=both) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    weights = "*/model.safetensors"
    assert contents(tmp_path / "met", weights) == contents(tmp_path / "alone", weights) != {}
    assert trained == [job]
    assert not list((tmp_path / "met").rglob(".*"))


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"), held(tmp_path / "file" / "work", "mine"):
        pass
