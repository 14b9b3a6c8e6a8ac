"""The command line as a function: arguments in; exit code, stdout and stderr out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from console import Cli, Result
from tiny import attack_job

from robustbench_cli.cli import main, show
from robustbench_cli.jobs import TransferJob
from robustbench_cli.runs.run import load_runs


@pytest.fixture(autouse=True)
def not_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "_quiet", False)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        seen = capsys.readouterr()
        return Result(code, seen.out, seen.err)

    return run


@pytest.fixture(scope="session")
def attacked_runs(finished_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished runs, attacked by FGSM at three epsilons and transferred from the first."""
    folder = tmp_path_factory.mktemp("attacked") / "runs"
    shutil.copytree(finished_runs, folder)
    paths = [run.path for run in load_runs(folder)]
    for path in paths:
        attack_job(path, "linf-fgsm", "0,0.01,0.02").run()
    config = attack_job(paths[0], "linf-fgsm", "0.01").config
    TransferJob(paths[0], tuple(paths), config).run()
    return folder


@pytest.fixture
def attacked(attacked_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them in ``runs`` below the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(attacked_runs, tmp_path / "runs")
    return Path("runs")
