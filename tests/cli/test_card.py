"""``robustmix card``, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import two_tones
from console import Cli

from robustbench_cli.referee.protocol import Level
from robustbench_cli.reporting.card.schema import read_card
from robustbench_cli.runs.run import load_runs

SHORT = Level("quick", 2, 1, "steps=2,targets=1,queries=4", 2, "quick", 10, 20, 1.0)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the budget, two steps on twenty images."""
    monkeypatch.setattr("robustbench_cli.referee.plan.choose", lambda *_, **__: (SHORT, 20))


@pytest.mark.usefixtures("short")
def test_a_card_from_one_command(cli: Cli, runs: Path) -> None:
    one, other, _ = (run.path for run in load_runs(runs))
    typed = ("card", one, "--norm", "linf", "--source", other, "--minutes", "5")
    dry = cli(*typed, "--dry-run")
    assert dry.out.count("to do  ") == 5 and ", about 0 s" in dry.out
    assert "linf at 0.02: usual here; papers have none" in dry.err
    assert "20 of 40 images, quick strength: about 0 s here" in dry.err
    found = cli(*typed)
    assert found.code == 0, found
    assert f"wrote cards/{one.name}/card.html and cards/{one.name}/card.json" in found.err
    assert "L∞, ε = 0.02" in found.out and "all attacks" in found.out
    document = read_card(Path(f"cards/{one.name}/card.json"))
    line = f"robustmix card {one} --norm linf --source {other} --minutes 5"
    assert document["command"] == line
    again = cli(*line.split()[1:], "--json", "-o", "here/it.html")
    assert "5 finished earlier, 0 done" in again.err and ", 0 s left" in again.err
    assert json.loads(again.out) == document == read_card(Path("here/it.json"))
    assert Path("here/it.html").read_text("utf-8").count("<h2") >= 7


@pytest.mark.usefixtures("short")
def test_somebody_elses_weights(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    two_tones.weights(Path("net.pt"), 0.5)
    typed = ("card", "net.pt", "--data", two_tones.SPEC, "--model", two_tones.MODEL)
    said = "at which epsilon? no paper compares networks on two_tones:TwoTones; type --norm linf="
    assert said in cli(*typed).line
    assert "type --normalise none" in cli(*typed, "--norm", "linf=0.2").line
    typed = (*typed, "--normalise", "none", "--norm", "linf=0.2")
    found = cli(*typed, "-o", "out", "-q")
    assert found.code == 0, found
    document = read_card(Path("out/card.json"))
    assert document["network"]["checkpoint"] == "net.pt"
    assert document["network"]["normalise"] == "none"
    assert document["command"] == f"robustmix {' '.join(typed)}"
    assert document["robust"][0]["accuracy"] == 1, "it withstands below 0.3"


def test_slips(cli: Cli, runs: Path) -> None:
    one = load_runs(runs)[0].path
    for typed, said in {
        ("runs",): "a card is of one network, and runs names 3: ",
        (one, "--part", "1/2"): "leave --part out",
        (one, "-o", "x.csv"): "x.csv: a card is FOLDER/, or FILE.html with FILE.json beside it",
        (one, "--norm", "l1"): "--norm l1: no l1 epsilon is usual for spirals; type --norm l1=EPS",
        (one, "--minutes", "0"): "--minutes 0: expected more than 0",
        (one, "--minutes", "0.00001"): "--minutes 1e-05 is too little here: quick attacks on 40",
        (one, "--source", "nothing"): "nothing: no such file or directory",
    }.items():
        assert said in cli("card", *typed).line, typed


def test_its_file_is_explained(cli: Cli) -> None:
    text = cli("--explain", "card").out
    assert "format 1, for other programs to rely on" in text
    assert "protocol.minutes" in text and "robust[].accuracy" in text
