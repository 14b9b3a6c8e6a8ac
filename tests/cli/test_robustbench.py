"""An entry of RobustBench's list, from its name to what stands under the table."""

from __future__ import annotations

from pathlib import Path

import pytest
import zoo
from console import Cli
from two_tones import weights

from robustbench_cli.runs.run import Run


@pytest.fixture(autouse=True)
def a_list_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    zoo.a_list_of_one(monkeypatch)


def test_an_entry_is_attacked_and_the_published_accuracies_stand_below(
    cli: Cli, tmp_path: Path
) -> None:
    options = ("-a", "linf-fgsm", "-e", "0.1", "--runs-dir", str(tmp_path / "runs"))
    options += ("--data-dir", str(tmp_path), "--device", "cpu", "--checks", "off")
    path = zoo.ENTRY.file(tmp_path)
    missing = cli("attack", "robustbench:tones2020", *options)
    assert missing.code == 2
    assert f"no file {path}; download https://drive.google.com/uc?id=KEY" in missing.line
    path.parent.mkdir(parents=True)
    weights(path, 0.5)
    found = cli("attack", "robustbench:Tones2020", *options)
    assert found.code == 0, found
    said = "robustbench:cifar10/linf/Tones2020: published: clean 99.00 %, under AutoAttack 66.60 %"
    (run,) = (Run.open(each) for each in (tmp_path / "runs").iterdir() if each.is_dir())
    assert run.config["normalise"] == "none"
    assert run.config["zoo"] == "robustbench:cifar10/linf/Tones2020"
    assert said in " ".join((found.out + found.err).split())
    report = cli("report", str(run.path))
    assert said in " ".join((report.out + report.err).split())


def test_what_is_said_of_an_entry_before_anything_is_downloaded(cli: Cli) -> None:
    listed = cli("--list", "robustbench")
    assert "1 of these 1 networks are built here" in listed.out
    shown = cli("--explain", "robustbench:tones2020")
    assert "clean 99.00 %" in shown.out
    assert "https://drive.google.com/uc?id=KEY" in shown.out
    assert "DATA_DIR/robustbench/cifar10/Linf/Tones2020.pt" in shown.out
    assert "did you mean robustbench:Tones2020?" in cli("--explain", "robustbench:tone").line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--normalise", "none"), "--normalise is for checkpoint files"),
        (("--data", "digits"), "tells 2 classes apart, and digits has 10"),
    ],
)
def test_what_is_known_is_not_asked_twice(
    cli: Cli, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    path = zoo.ENTRY.file(tmp_path)
    path.parent.mkdir(parents=True)
    weights(path, 0.5)
    places = ("--runs-dir", str(tmp_path / "runs"), "--data-dir", str(tmp_path), "--device", "cpu")
    assert message in cli("attack", "robustbench:Tones2020", *options, *places).line
