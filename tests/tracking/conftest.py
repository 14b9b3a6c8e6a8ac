"""Runs that were attacked, to tell of."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import attack_job

from robustbench_cli.runs.run import load_runs


@pytest.fixture
def attacked_run(runs: Path) -> Path:
    """One of them, attacked by FGSM at two epsilons."""
    path = load_runs(runs)[0].path
    attack_job(path, "linf-fgsm", "0.01,0.02").run()
    return path


@pytest.fixture
def signed_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture is drawn and its file is a PNG's signature: to save it takes longest of all."""
    place = "robustbench_cli.reporting.report.save_figure"
    monkeypatch.setattr(place, lambda drawing, path: path.write_bytes(b"\x89PNG\r\n\x1a\n"))
