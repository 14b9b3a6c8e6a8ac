"""An entry of RobustBench's list, from its name to what stands under the table."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import Cli
from two_tones import MODEL, SPEC, weights

from robustbench_cli.runs import robustbench
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import allow_code

ENTRY = robustbench.Entry(
    threat="linf",
    name="Tones2020",
    architecture="linear",
    model=MODEL,
    normalise="none",
    weights_key="",
    eps="0.1",
    clean="99.00",
    robust="66.60",
    best_known="",
    drive="KEY",
)


@pytest.fixture(autouse=True)
def a_list_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    allow_code("two_tones")
    monkeypatch.setattr(robustbench, "entries", lambda: (ENTRY,))
    monkeypatch.setattr(robustbench.Entry, "data", SPEC)


def test_an_entry_is_attacked_and_the_published_accuracies_stand_below(
    cli: Cli, tmp_path: Path
) -> None:
    options = ("-a", "linf-fgsm", "-e", "0.1", "--runs-dir", str(tmp_path / "runs"))
    options += ("--data-dir", str(tmp_path), "--device", "cpu", "--checks", "off")
    path = ENTRY.file(tmp_path)
    missing = cli("attack", "robustbench:tones2020", *options)
    assert missing.code == 2
    assert f"no file {path}; download https://drive.google.com/uc?id=KEY" in missing.line
    path.parent.mkdir(parents=True)
    weights(path, 0.5)
    found = cli("attack", "robustbench:Tones2020", *options)
    assert found.code == 0, found
    said = "robustbench:linf/Tones2020: published: clean 99.00 %, under AutoAttack 66.60 %"
    (run,) = (Run.open(each) for each in (tmp_path / "runs").iterdir() if each.is_dir())
    assert run.config["normalise"] == "none"
    assert run.config["zoo"] == "robustbench:linf/Tones2020"
    assert said in " ".join((found.out + found.err).split())
    report = cli("report", str(run.path))
    assert said in " ".join((report.out + report.err).split())
