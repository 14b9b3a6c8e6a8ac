"""Runs that train and are attacked in milliseconds: forty points of the plane, and a small MLP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from robustbench_cli.jobs import AttackJob, TrainJob, Where
from robustbench_cli.jobs.attack_config import make_attack_config
from robustbench_cli.training.config import TrainConfig

TINY = {"data": "spirals:samples=40", "model": "mlp:width=16", "epochs": 2}
OPTIONS = ["--data", TINY["data"], "--model", TINY["model"], "--epochs", "2"]
"""The same for the command line."""


def tiny(**changes: Any) -> TrainConfig:
    return TrainConfig(**{**TINY, **changes}).resolve()


def train_job(folder: Path, *, force: bool = False, **changes: Any) -> TrainJob:
    return TrainJob(tiny(**changes), Where(folder), force)


def attack_job(run: Path, attack: str = "linf-fgsm", *eps: str, **options: Any) -> AttackJob:
    from robustbench_cli.epsilon import grid

    force = options.pop("force", False)
    config = make_attack_config(attack, TINY["data"], grid(eps or ["0.01,0.02"]), **options)
    return AttackJob(run, config, Where(run.parent), force)


def contents(folder: Path, pattern: str = "**/*") -> dict[str, bytes]:
    """Every file below a folder, to be compared."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.glob(pattern))
        if path.is_file()
    }


@contextmanager
def in_a_process(
    *command: str, cwd: Path, start_new_session: bool = False, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """A Python of its own, with one thread and pipes for its streams; a test that fails ends it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's job in the background: so
        signal.signal(signal.SIGINT, signal.default_int_handler)  # would be all that it starts
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=start_new_session,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                if start_new_session:
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
