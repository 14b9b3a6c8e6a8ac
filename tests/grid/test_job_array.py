"""A grid's jobs as one job array: what each may use, what becomes of one that is cut short."""

from __future__ import annotations

import importlib.util
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tiny import OPTIONS, contents, in_a_process, train_job

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.grid import Workers, run_jobs
from robustbench_cli.grid.job_array import JobArray

real = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not importlib.util.find_spec("submitit"),
        reason='submitit is not installed; type: pip install "robustmix[submitit]"',
    ),
    pytest.mark.filterwarnings("default"),  # submitit's own
]


def test_keys_are_read_as_they_are_typed() -> None:
    array = JobArray.parse("partition=gpu, timeout-min=240,gpus=1,cpus=4,mem=16")
    assert array == JobArray(partition="gpu", timeout_min=240, gpus=1, cpus=4, mem=16)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("partion=gpu", "--submitit has no 'partion'; did you mean 'partition'"),
        ("gpus", "expected KEY=VALUE,..., as partition=gpu"),
        ("", "expected KEY=VALUE"),
        ("timeout-min=4h", "--submitit: timeout-min must be a whole number; got '4h'"),
        ("cpus=0", "--submitit: cpus must be 1 or more; got 0"),
        ("cluster=sge", "--submitit: cluster is one of slurm, local; got 'sge'"),
        ("cpus=1,cpus=2", "--submitit: cpus is given twice"),
    ],
)
def test_a_slip_is_answered_with_what_was_expected(text: str, answer: str) -> None:
    with pytest.raises(UsageError, match=answer):
        JobArray.parse(text)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UsageError, match=r'pip install "robustmix\[submitit\]"'):
        run_jobs([train_job(tmp_path)], Workers(array=JobArray(cluster="local")))


class TestHere:
    """cluster=local: submitit's own processes on this machine."""

    pytestmark = real

    def test_a_grid_gives_the_bytes_of_one_process(self, tmp_path: Path) -> None:
        jobs = [train_job(tmp_path / "runs", seed=seed) for seed in range(2)]
        finished = run_jobs(jobs, Workers(array=JobArray.parse("cluster=local")))
        assert [(f.path, f.error) for f in finished] == [(job.path, None) for job in jobs]
        for seed in range(2):
            train_job(tmp_path / "alone", seed=seed).run()
        weights = "*/model.safetensors"
        assert contents(tmp_path / "runs", weights) == contents(tmp_path / "alone", weights) != {}
        assert list((tmp_path / "runs/.submitit").glob("*/*_log.err"))

    def test_a_job_that_dies_takes_no_other_with_it(self, tmp_path: Path) -> None:
        calls = {3: partial(os._exit, 9), 5: partial(str.upper, "done"), 7: partial(int, "x")}
        found = dict(JobArray(cluster="local").stream(calls, tmp_path))
        assert found[5] == "DONE"
        for i in (3, 7):
            assert isinstance(found[i], RunError)
            assert "_log.err); the same command goes on" in str(found[i])

    def test_a_job_whose_time_is_up_goes_on_by_itself(self, tmp_path: Path) -> None:
        again = "if [ -e begun ]; then echo again > ended; else touch begun; sleep 100; fi"
        call = partial(subprocess.run, ["sh", "-c", again], cwd=tmp_path, check=True)
        array = JobArray(cluster="local", timeout_min=1)  # told half a minute before
        ((_, found),) = array.stream({0: call}, tmp_path / "logs")
        assert not isinstance(found, RunError), found
        assert (tmp_path / "ended").read_text() == "again\n"

    def test_an_interrupted_command_ends_its_jobs_and_goes_on_later(self, tmp_path: Path) -> None:
        options = [*OPTIONS[:-1], "100000", "--submitit", "cluster=local"]
        begun = tmp_path / "runs"
        typed = ["-m", "robustbench_cli", "train", *options]
        with in_a_process(*typed, cwd=tmp_path) as command:
            while not list(begun.glob("*/.*")) and command.poll() is None:
                time.sleep(0.2)
            command.send_signal(signal.SIGINT)
            out, err = command.communicate(timeout=60)
        assert command.returncode == 130 and out == ""
        assert "the same command goes on" in err and "Traceback" not in err
        logs = begun / ".submitit"
        time.sleep(2)
        alive = subprocess.run(["pgrep", "-f", str(logs)], capture_output=True, text=True)
        assert alive.stdout == ""


SLURM = {
    "sbatch": """
        cp "$1" {place}/script.sh
        for task in 0 1; do
            export SLURM_JOB_ID=17 SLURM_ARRAY_JOB_ID=17 SLURM_ARRAY_TASK_ID=$task
            export SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_NODEID=0 SLURM_LOCALID=0
            { sh "$1"; touch {place}/ended_$task; } > /dev/null 2>&1 &
        done
        echo "Submitted batch job 17"
    """,
    "srun": """
        while [ "${1#-}" != "$1" ]; do case "$1" in --output|--error) shift;; esac; shift; done
        exec "$@"
    """,
    "sacct": """
        echo "JobID|State|NodeList"
        for task in 0 1; do
            if [ -e {place}/ended_$task ]; then state=COMPLETED; else state=RUNNING; fi
            echo "17_$task|$state|a"
        done
    """,
    "scancel": "",
}


class TestSlurm:
    """Slurm's commands, played by a few lines of shell each: what they are told, and give."""

    pytestmark = real

    @pytest.fixture
    def slurm(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        place = tmp_path / "slurm"
        place.mkdir()
        for name, script in SLURM.items():
            text = textwrap.dedent(script).replace("{place}", str(place))
            (place / name).write_text(f"#!/bin/sh\n{text}\n")
            (place / name).chmod(stat.S_IRWXU)
        monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
        yield place

    def test_the_array_is_asked_for_as_typed(self, slurm: Path, tmp_path: Path) -> None:
        array = JobArray.parse("partition=gpu,timeout-min=240,gpus=1,cpus=4,mem=16,qos=low")
        calls = {3: partial(str.upper, "a"), 5: partial(str.upper, "b")}
        assert dict(array.stream(calls, tmp_path / "logs")) == {3: "A", 5: "B"}
        script = (slurm / "script.sh").read_text()
        for line in ("partition=gpu", "time=240", "gpus-per-node=1", "cpus-per-task=4", "mem=16GB"):
            assert f"#SBATCH --{line}\n" in script
        assert "#SBATCH --array=0-1" in script and "#SBATCH --qos=low\n" in script

    def test_a_cluster_that_refuses_gets_a_line(self, slurm: Path, tmp_path: Path) -> None:
        (slurm / "sbatch").write_text("#!/bin/sh\necho 'error: invalid partition' >&2; exit 1\n")
        with pytest.raises(RunError, match=r"refuses the jobs: .*invalid partition"):
            dict(JobArray().stream({0: partial(str.upper, "a")}, tmp_path))

    def test_without_slurm_it_says_how_to_try_it(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="--submitit cluster=local"):
            dict(JobArray().stream({0: partial(str.upper, "a")}, tmp_path))
