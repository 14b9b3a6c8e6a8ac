"""A full disk and a folder that may only be read: one line, and nothing half-written.

A limit on the size of files stands for the full disk: it strikes in the middle of a write, too.
"""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny import OPTIONS, attack_job, contents

from robustbench_cli.cli import main
from robustbench_cli.errors import RunError
from robustbench_cli.runs.run import Run

PLAIN = "spirals-samples=40-mlp-width=16-plain-epochs=2-s0"


@contextmanager
def disk_with(room: int) -> Iterator[None]:
    """No file may grow beyond `room` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 100, 1000, 3000, 6000])
def test_training_on_a_full_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with disk_with(room):
        code = main(["train", *OPTIONS])
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 1 and "cannot write" in line and PLAIN in line
    assert not list(tmp_path.rglob(".*part*")), "nothing half-written"
    assert main(["train", *OPTIONS, "-q"]) == 0, "with room again, the same command goes on"
    assert Run.open(Path("runs") / PLAIN).finished


@pytest.mark.parametrize("room", [0, 100, 1000])
def test_attacking_on_a_full_disk(runs: Path, room: int) -> None:
    job = attack_job(runs / PLAIN)
    before = contents(runs)
    with disk_with(room), pytest.raises(RunError, match=r"cannot write .*: File too large"):
        job.run()
    assert contents(runs) == before and not job.done()
    job.run()
    assert job.done()


def test_a_disk_that_is_full_when_the_signals_come_keeps_the_rows(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = attack_job(runs / PLAIN)

    def full(*_: object) -> None:
        raise RunError("cannot write signals: No space left on device")

    with monkeypatch.context() as during:
        during.setattr("robustbench_cli.jobs.attack.write_json", full)
        with pytest.raises(RunError, match="No space left"):
            job.run()
    assert Run.open(runs / PLAIN).evaluations()[0].n == 40
    job.run()
    assert job.done()


@pytest.mark.parametrize("output", ["table.json", "results", "decay.png"])
def test_reporting_on_a_full_disk(
    runs: Path, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    attack_job(runs / PLAIN).run()
    figure = ["--figure", "decay-curve"] if output.endswith("png") else []
    with disk_with(50):
        assert main(["report", str(runs), *figure, "-o", output, "-q"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Error: cannot write {output}") and "File too large" in line
    assert not Path(output).is_file() and not list(Path().rglob(".*part*"))


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """As root may write anywhere, the file system says so itself."""

    def refuse(*_: object, **__: object) -> tuple[int, str]:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)


@pytest.mark.usefixtures("read_only")
@pytest.mark.parametrize(
    "command",
    [
        ["train", *OPTIONS, "--seed", "7"],
        ["attack", f"runs/{PLAIN}", "-a", "linf-fgsm", "-e", "0.01"],
        ["sweep-epsilon", f"runs/{PLAIN}", "-a", "linf-pgd:steps=2"],
        ["transfer", "--source", f"runs/{PLAIN}", "--target", f"runs/{PLAIN}", "-e", "0.01"],
    ],
    ids=lambda command: command[0],
)
def test_a_folder_that_may_only_be_read(
    runs: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(runs)
    assert main(command) == 1
    seen = capsys.readouterr()
    (line,) = seen.err.splitlines()
    assert "cannot write" in line and "Read-only file system" in line and not seen.out
    assert contents(runs) == before
