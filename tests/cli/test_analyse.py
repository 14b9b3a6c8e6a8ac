"""``robustmix analyse`` as it is typed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from console import Cli
from tiny import TINY

SMALL = ["-n", "church-window:images=2,points=5"]


def test_it_prints_the_numbers_over_seeds(cli: Cli, runs: Path) -> None:
    found = cli("analyse", "runs", *SMALL, "-f", "csv")
    assert found.code == 0
    rows = list(csv.DictReader(io.StringIO(found.out)))
    assert {row["label"] for row in rows} == {"plain", "mixup"}
    plain = [row for row in rows if row["label"] == "plain"]
    assert [row["number"] for row in plain][:2] == ["adversarial", "nearest boundary"]
    assert {row["runs"] for row in plain} == {"2"}
    assert "3 analyses: 0 finished earlier, 3 to do" in found.err
    again = cli("analyse", "runs", *SMALL, "-f", "csv")
    assert again.out == found.out and "3 finished earlier" in again.err


def test_the_american_spelling_works_too(cli: Cli, runs: Path) -> None:
    found = cli("analyze", "runs", *SMALL, "--json")
    assert found.code == 0 and len(json.loads(found.out)["analyses"]) == 2
    assert "analyze" not in cli("--help").out


def test_pictures_and_reports_come_from_what_is_stored(cli: Cli, runs: Path) -> None:
    assert cli("analyse", "runs", *SMALL, "-o", "windows.png").code == 0
    assert Path("windows.png").read_bytes().startswith(b"\x89PNG")
    drawn = cli("report", "runs", "--figure", "church-window:show=class,loss", "-o", "again.svg")
    assert drawn.code == 0 and Path("again.svg").read_text().count("cross entropy") >= 1
    assert "church-window" in cli("report", "runs", *SMALL).out
    assert cli("analyse", "runs", *SMALL, "-o", "all").code == 0
    names = {path.name for path in Path("all").iterdir()}
    assert {"analyses.md", "analyses.csv", "church-window.png", "church-window.svg"} <= names


def test_jobs_can_be_seen_before_they_are_done(cli: Cli, runs: Path) -> None:
    found = cli("analyse", "runs", *SMALL, "--dry-run")
    assert found.out.count("to do  church-window:images=2,points=5,eps=0.1 of ") == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which analysis? type -n NAME, one of: "),
        (["-n", "church-windw"], "did you mean 'church-window'?"),
        ([*SMALL, "-o", "a.bmp"], "no format '.bmp'; expected FOLDER/, or one of .png, .svg"),
        ([*SMALL, "-n", "logit-line", "-o", "a.png"], "type -o FOLDER/"),
    ],
)
def test_slips_get_one_line(cli: Cli, runs: Path, arguments: list[str], message: str) -> None:
    found = cli("analyse", "runs", *arguments)
    assert found.code == 2 and message in found.line


def test_what_was_found_is_printed_though_another_failed(cli: Cli, runs: Path) -> None:
    asked = [*SMALL, "-n", "embedding", "--defence", "noisy-inference:draws=3"]
    found = cli("analyse", "runs", *asked)
    assert found.code == 3 and "church-window" in found.out and "embedding" not in found.out
    assert found.err.count("layer head receives 3 inputs for an image") == 3


def test_nothing_stored_is_said(cli: Cli, runs: Path) -> None:
    found = cli("report", "runs", "--figure", "church-window", "-o", "a.png")
    assert found.code == 1 and "type: robustmix analyse" in found.line


@pytest.mark.parametrize("section", ["analyse", "analyze"])
def test_an_experiment_analyses(cli: Cli, runs: Path, section: str) -> None:
    Path("a.toml").write_text(
        f'[train]\ndata = "{TINY["data"]}"\nmodel = "{TINY["model"]}"\nepochs = 2\nseeds = 2\n'
        f'[[{section}]]\nanalysis = "{SMALL[1]}"\n[report]\nfolder = "out"\n'
    )
    found = cli("run", "a.toml", "-j", "1")
    assert found.code == 0 and "adversarial (%)" in found.out
    assert Path("out/church-window.png").exists() and Path("out/analyses.tex").exists()
    Path("b.toml").write_text(Path("a.toml").read_text().replace("images=2", "image=2"))
    assert "church-window has no parameter 'image'" in cli("run", "b.toml").line
