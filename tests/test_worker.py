"""Workers end with their parent, whatever ended that, and the same command goes on."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import OPTIONS, in_a_process, train_job

from robustbench_cli.grid import pool
from robustbench_cli.spec import allow_code, allowed_code
from robustbench_cli.worker import Orders

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")

LONG = [*OPTIONS[:-1], "150", "--seeds", "2", "-j", "2"]
COMMAND = ("-m", "robustbench_cli", "train", *LONG)


def living(group: int) -> list[str]:
    """The processes of a group, but for those that ended and were not yet waited for."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in listing.splitlines()]
    return [pid for pid, of, state in rows if of == str(group) and state[0] != "Z"]


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM], ids=lambda s: s.name)
def test_no_worker_outlives_its_parent(tmp_path: Path, sent: signal.Signals) -> None:
    with in_a_process(*COMMAND, cwd=tmp_path, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("runs/*/history.csv"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(living(process.pid)) >= 3, "a parent and two workers"
        process.send_signal(sent)
        assert process.wait(20) == (143 if sent == signal.SIGTERM else -sent)
        ended = time.monotonic()
        while living(process.pid) and time.monotonic() - ended < 2:
            time.sleep(0.05)
        assert living(process.pid) == []
        out, err = process.communicate(timeout=20)
    if sent == signal.SIGTERM:
        last = "Error: ended by SIGTERM; the same command goes on where it was\n"
        assert out == "" and err.endswith(last) and "Traceback" not in err
    else:
        job, calm = (train_job(tmp_path / name, epochs=150) for name in ("runs", "calm"))
        assert job.run().joinpath("model.safetensors").read_bytes() == (
            calm.run().joinpath("model.safetensors").read_bytes()
        )
        assert not list(job.path.rglob(".*")), "what was half written is swept"


def test_orders_are_what_the_parent_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustbench_cli.spec.registry._allowed", set())
    monkeypatch.chdir(tmp_path)
    allow_code("own_lab")
    done: list[str] = []
    orders = Orders(threads=1, setup=lambda: done.append("set up"))
    monkeypatch.setattr("robustbench_cli.spec.registry._allowed", set())
    monkeypatch.chdir("/")
    orders.follow()
    assert allowed_code() == ("own_lab",) and Path.cwd() == tmp_path and done == ["set up"]


EARLY = """
import os, signal, sys
from pathlib import Path
from robustbench_cli import worker

def begin(visible, board):
    worker.begin(visible, board)
    deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    gpus, loaded = os.environ["CUDA_VISIBLE_DEVICES"], "torch" in sys.modules
    Path("begun").write_text(f"GPUs {gpus}, deaf {deaf}, torch {loaded}")
    os._exit(0)
"""


def test_a_worker_knows_its_gpus_and_leaves_signals_alone_before_it_loads_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA reads which GPUs there are when it starts, once; and to load torch takes seconds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("begins_early.py").write_text(EARLY)
    monkeypatch.setattr(pool, "begin", importlib.import_module("begins_early").begin)
    assert list(pool.stream({0: train_job(tmp_path)}, ["3,4"], Orders(1))) == [(0, None)]
    assert Path("begun").read_text() == "GPUs 3,4, deaf True, torch False"
