"""``[select]`` from end to end: what is trained, what is attacked on which images, what is told."""

from __future__ import annotations

import csv
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from console import Cli
from pages import read, tables
from tiny import contents

from robustbench_cli.jobs import attack, train
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import load_runs

FILE = """\
[train]
data = "spirals:samples=60"
model = "mlp:width=16"
method = ["plain", "mixup:alpha={0.2,0.4,1}"]
seeds = 2
epochs = 2
optimizer = "adam"
lr = 0.03

[select]
attack = "linf-fgsm"
eps-range = "0:0.2:0.05"

[[attack]]
attack = "linf-fgsm"
eps = "0.05,0.1"

[[transfer]]
source = "mixup"
target = "plain"
attack = "linf-fgsm"
eps = "0.1"
"""
REPORT = '[report]\nfolder = "results"\n'
MIXUPS = ("mixup:alpha=0.2", "mixup:alpha=0.4", "mixup")
OPTIMISM = FILE.replace("[[attack]]", "optimism = true\n[[attack]]", 1)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("choose.toml").write_text(FILE)
    return tmp_path


def area(evaluation: Evaluation) -> float:
    """By hand: the mean height of the curve, by the trapezoid rule on equal steps."""
    heights = [right / evaluation.n for right in evaluation.tally.right]
    return sum((a + b) / 2 for a, b in pairwise(heights)) / (len(heights) - 1)


def by_hand(split: str = "validation") -> dict[str, float]:
    """Mean area over the seeds of [train], for each setting."""
    found: dict[str, list[float]] = {}
    for run in load_runs("runs"):
        if run.config["method"] in MIXUPS and run.config["seed"] < 2:
            folder = run.path / ("attacks" if split == "test" else split)
            (path,) = folder.glob("*.json")
            found.setdefault(run.config["method"], []).append(area(Evaluation.load(path)))
    assert {len(areas) for areas in found.values()} == {2}
    return {method: sum(areas) / 2 for method, areas in found.items()}


def seeds(method: str) -> list[int]:
    runs = (run.config for run in load_runs("runs"))
    return sorted(config["seed"] for config in runs if config["method"] == method)


def images(split: str) -> set[str]:
    """Digests of what was attacked."""
    seen = [run.on(split) for run in load_runs("runs")]  # type: ignore[arg-type]
    return {e.record["identity"]["data"] for run in seen for e in run.evaluations()}


def tried(text: str, family: str = "mixup") -> dict[str, Any]:
    """What a JSON document says of a family."""
    (entry,) = (e for e in json.loads(text)["selection"] if e["family"] == family)
    return dict(entry)


def test_the_champion_is_the_one_of_a_hand_computation_and_alone_sees_test_images(
    cli: Cli, here: Path
) -> None:
    found = cli("run", "choose.toml", "-j", "1", "--json")
    assert found.code == 0, found.err
    areas = by_hand()
    best = max(MIXUPS, key=lambda method: areas[method])  # of equals, the first
    others = [method for method in MIXUPS if method != best]
    assert seeds(best) == [0, 1, 2, 3], "two seeds to choose by, two fresh ones"
    assert [seeds(method) for method in others] == [[0, 1], [0, 1]]
    assert seeds("plain") == [2, 3], "where there is no choice none is paid for"
    for run in load_runs("runs"):
        attacked = bool(run.evaluations())
        assert attacked == (run.config["seed"] >= 2), "test images see fresh seeds only"
    assert len([t for run in load_runs("runs") for t in run.transfers()]) == 2 * 2
    facts = load_runs("runs")[0].record["data"]
    assert images("test") == {facts["test_digest"]}
    assert len(images("validation")) == 1 and images("test").isdisjoint(images("validation"))

    second, entry = max(others, key=lambda method: areas[method]), tried(found.out)
    assert (entry["champion"], entry["second"]) == (best, second)
    assert entry["lead"] == pytest.approx(areas[best] - areas[second], abs=2e-6)
    told = {row["setting"]: row["validation"] for row in entry["tried"]}
    assert told == pytest.approx(areas, abs=1e-6)
    text = cli("run", "choose.toml", "-j", "1").out
    assert "Champions, chosen on validation images" in text
    assert f"{best} " in text and "was not measured" in text


def test_optimism_is_what_choosing_by_test_images_would_have_claimed(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("choose.toml").write_text(OPTIMISM)
    found = cli("run", "choose.toml", "-j", "1", "--json")
    assert found.code == 0, found.err
    entry, test = tried(found.out), by_hand("test")
    assert entry["claimed"] == pytest.approx(max(test.values()), abs=1e-6)
    fresh = [
        area(evaluation)
        for run in load_runs("runs")
        if run.config["method"] == entry["champion"] and run.config["seed"] >= 2
        for evaluation in run.evaluations()
        if len(evaluation.epsilons) == 5
    ]
    assert len(fresh) == 2
    assert entry["optimism"] == pytest.approx(max(test.values()) - sum(fresh) / 2, abs=2e-6)

    monkeypatch.setattr("robustbench_cli.reporting.everything._TOO", ())  # pictures take time
    assert cli("run", "choose.toml", "-j", "1", "-o", "page.html").code == 0
    page = read(Path("page.html").read_text("utf-8"))
    assert "How the settings were chosen" in [each.text for each in page.every("h2")]
    shown = tables(page)
    (row,) = (r for r in shown["Champions, chosen on validation images"] if r["tried"] == "3")
    assert (row["champion"], row["ahead of"]) == (entry["champion"], entry["second"])
    assert row["by"] == f"{100 * entry['lead']:.1f}"
    assert row["optimism"] == f"{100 * entry['optimism']:+.1f}".replace("-", "−")
    settings = [each["setting"] for each in shown["mixup, 3 tried"]]
    assert settings == [each["setting"] for each in entry["tried"]]


def chosen(folder: str) -> dict[str, bytes]:
    """The weights of every run, champions too."""
    return {run.name: run.weights.read_bytes() for run in load_runs(f"{folder}/*")}


@pytest.mark.slow
def test_a_killed_selection_goes_on_and_does_nothing_twice(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work: Counter[str] = Counter()
    stops = [1, 5, 8, 10, 13]  # units of work: in the grid, in the attacks, after the choice

    def counted(job, name):  # type: ignore[no-untyped-def]
        plain = getattr(job, name)

        def run(self, *arguments):  # type: ignore[no-untyped-def]
            if stops and sum(work.values()) == stops[0]:
                stops.pop(0)
                raise KeyboardInterrupt
            path = plain(self, *arguments)
            work[self.label] += 1
            return path

        monkeypatch.setattr(job, name, run)

    counted(train.TrainJob, "_train")
    counted(attack.AttackJob, "_attack")
    while stops:
        assert cli("run", "choose.toml", "-j", "1").code == 130
    whole = cli("run", "choose.toml", "-j", "1")
    assert whole.code == 0, whole.err
    assert set(work.values()) == {1}
    assert len(work) == 6 + 6 + 4 + 4, "of three settings and two champions, two seeds each"
    before = contents(Path("runs"))
    again = cli("run", "choose.toml", "-j", "1")
    assert again.out == whole.out and set(work.values()) == {1}
    assert contents(Path("runs")) == before
    straight = cli("run", "choose.toml", "-j", "1", "--runs-dir", "straight")
    assert straight.out == whole.out
    assert chosen("runs") == chosen("straight")
    listed = cli("run", "choose.toml", "--dry-run").out.splitlines()
    assert len(listed) == 6 + 6 + 4 + 4 + 2 and all(line.startswith("done") for line in listed)


def test_a_dry_run_lists_what_is_known_and_says_what_is_not(cli: Cli, here: Path) -> None:
    found = cli("run", "choose.toml", "--dry-run")
    *known, later = found.out.splitlines()
    assert len(known) == 6 + 6 and all(line.startswith("to do") for line in known)
    assert known[-1].endswith("validation images")
    assert later.startswith("later  4 runs, 4 evaluations, 2 transfers: of the champions")
    assert later.endswith("seeds 2 3") and not Path("runs").exists()


def test_a_setting_that_fails_is_out_and_the_others_go_on(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = train.TrainJob._train

    def fail(self, *arguments):  # type: ignore[no-untyped-def]
        if self.config.method == "mixup:alpha=0.2" and self.config.seed == 1:
            raise OSError("no space left")
        return plain(self, *arguments)

    monkeypatch.setattr(train.TrainJob, "_train", fail)
    found = cli("run", "choose.toml", "-j", "1", "--json")
    assert found.code == 3
    *ranked, last = tried(found.out)["tried"]
    assert (last["setting"], last["rank"], last["validation"]) == ("mixup:alpha=0.2", None, None)
    assert all(each["validation"] for each in ranked)
    monkeypatch.setattr(train.TrainJob, "_train", plain)
    whole = cli("run", "choose.toml", "-j", "1", "--json")
    assert whole.code == 0 and all(each["validation"] for each in tried(whole.out)["tried"])


def test_without_attacks_the_table_of_what_was_tried_is_the_result(cli: Cli, here: Path) -> None:
    Path("choose.toml").write_text(FILE[: FILE.index("[[attack]]")] + REPORT)
    found = cli("run", "choose.toml", "-j", "1", "-f", "csv")
    assert found.code == 0, found.err
    rows = list(csv.DictReader(found.out.splitlines()))
    assert {row["setting"] for row in rows} == {"plain", *MIXUPS}
    assert [row["champion"] for row in rows].count("True") == 2
    assert Path("results/tried.csv").read_text() == found.out
    names = [f"tried{suffix}" for suffix in (".csv", ".json", ".md", ".tex", ".txt")]
    assert sorted(path.name for path in Path("results").iterdir()) == names
