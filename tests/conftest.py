"""One thread, no settings of whoever runs the tests, and runs to share."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

for name in [name for name in os.environ if name.startswith("ROBUSTMIX_")]:
    del os.environ[name]  # the commands that the tests start would heed them


def pytest_collection() -> None:
    """Heavy imports, in the processes that run tests; the one that hands them out needs none."""
    import torch
    from hypothesis import settings

    with warnings.catch_warnings():  # Foolbox imports a name that SciPy has deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        import foolbox  # noqa: F401

    for absent in (torch.cuda, torch.xpu, torch.mtia):
        if not absent.is_available():  # each seed would note the call stack for it, file by file
            absent.manual_seed_all = lambda seed: None
    torch.set_num_threads(1)  # on small networks several threads are many times slower
    settings.register_profile("shared machine", deadline=None, max_examples=50)
    settings.load_profile("shared machine")
    gc.freeze()  # what torch brings is no garbage; to look through it again and again takes long
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Commands set up what the package says; the next test starts afresh."""
    package = logging.getLogger("robustbench_cli")
    handlers, level, propagate = list(package.handlers), package.level, package.propagate
    yield
    package.handlers[:], package.propagate = handlers, propagate
    package.setLevel(level)


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three finished runs, plain with seeds 0 and 1 and mixup with seed 0; not to be written to."""
    from tiny import train_job

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


@pytest.fixture
def unsaved_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report draws its pictures, but their files are empty: to save them takes longest of all."""
    place = "robustbench_cli.reporting.writing.save_figure"
    monkeypatch.setattr(place, lambda drawing, path: path.touch())
