"""One thread: on small networks several threads are many times slower. And runs to share."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import settings

with warnings.catch_warnings():  # Foolbox imports a name that SciPy has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from tiny import train_job

torch.set_num_threads(1)
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three finished runs, plain with seeds 0 and 1 and mixup with seed 0; not to be written to."""
    folder = tmp_path_factory.mktemp("finished") / "runs"
    for method, seed in (("plain", 0), ("plain", 1), ("mixup", 0)):
        train_job(folder, method=method, seed=seed).run()
    return folder


@pytest.fixture
def runs(finished_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them in ``runs`` below the working directory, an empty folder otherwise."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished_runs, tmp_path / "runs")
    return Path("runs")
