"""The page of a report, read with a strict parser: what the runs hold, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_runs import make_evaluation, make_run, make_study
from pages import Node, read, tables

from robustbench_cli import table
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.reporting.everything import gather
from robustbench_cli.reporting.page.page import page
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.writing import write_page
from robustbench_cli.runs.run import Run

SAID = {"claim": [{"better": "pgd-at", "than": "plain", "measure": "clean", "text": "It <b>helps"}]}
EVIL = ['"><script>alert(1)</script>', "<img src=x onerror=alert(1)>", "' autofocus onfocus='x"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Not to be written to."""
    folder = tmp_path_factory.mktemp("study")
    return make_study(folder, ["plain", "pgd-at"], 3, ["linf-fgsm", "l2-boundary"], n=60)


@pytest.fixture(scope="module")
def root(study: list[Run]) -> Node:
    """Without figures of matplotlib, which take their time."""
    return read(bare(study, statements=SAID, command="robustmix report 'a b' -o it.html"))


def bare(runs: list[Run], command: str = "", **options: Any) -> str:
    found = gather(Selection.of(runs, **options), paged=True)
    return page(found.selection, found.tables, {}, command)


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustbench_cli.reporting.everything._TOO", ())


def test_it_loads_nothing(root: Node) -> None:
    for node in root.every():
        for name, value in node.attributes.items():
            assert name not in ("srcset", "action", "formaction") and not name.startswith("on")
            if name in ("src", "href"):
                assert re.match(r"#[\w-]+$|data:image/png;base64,", value), value
        assert node.tag not in ("link", "iframe", "object", "embed", "base", "foreignobject")
    style = "".join(node.text for node in root.every("style"))
    assert "url(" not in style and "@import" not in style
    (policy,) = (m for m in root.every("meta") if "http-equiv" in m.attributes)
    assert policy.attributes["content"].startswith("default-src 'none'")


def test_ids_are_there_once_and_every_reference_has_its_target(root: Node) -> None:
    ids = [n.attributes["id"] for n in root.every() if "id" in n.attributes]
    assert len(ids) == len(set(ids))
    named = [n.attributes["href"][1:] for n in root.every("a")]
    named += [n.attributes["aria-labelledby"] for n in root.every("section")]
    assert len(named) > 10 and set(named) <= set(ids)


def test_every_number_is_that_of_the_document(root: Node, study: list[Run]) -> None:
    shown, compared = tables(root), 0
    for curve in table(study).document["curves"]:
        (caption,) = (c for c in shown if c.startswith(curve["attack"]) and "accuracy in %" in c)
        (row,) = (row for row in shown[caption] if row["method"] == curve["label"])
        assert len(row) == len(curve["points"]) + 1
        for point in curve["points"]:
            value, half = row[f"ε={point['eps']}"].split(" ± ")
            assert value == f"{100 * point['accuracy']:.1f}"
            if point["low"] > 0 and point["high"] < 1:  # else it is cut
                assert float(half) == pytest.approx(50 * (point["high"] - point["low"]), abs=0.06)
            compared += 1
    assert compared == 4 * 21


def test_tables_are_those_of_the_text(root: Node, study: list[Run]) -> None:
    shown = tables(root)
    for section in table(study).sections:
        kept = section.without_screen()
        rows = [dict(zip(kept.header, row, strict=True)) for row in kept.rows]
        assert shown[section.title] == rows


def test_points_lie_where_their_values_are(root: Node, study: list[Run]) -> None:
    """The first attack is l2-boundary, up to 5; accuracy 0 is at 256 and 1 at 10."""
    first = next(n for n in root.every("svg") if n.attributes.get("class") == "curves")
    line = next(n for n in first.every("g") if n.attributes["data-group"] == "1")
    curve = next(c for c in table(study).document["curves"] if c["label"] == "pgd-at")
    for circle, point in zip(line.every("circle"), curve["points"], strict=True):
        height = (256 - float(circle.attributes["cy"])) / 246
        assert height == pytest.approx(point["accuracy"], abs=5e-4)
        across = (float(circle.attributes["cx"]) - 44) / 396 * 5
        assert across == pytest.approx(point["eps_value"], abs=1e-3)
        said = f"pgd-at, ε={point['eps']}: {100 * point['accuracy']:.1f} ± "
        assert circle.text.startswith(said)


def test_claims_checks_settings_and_commands(root: Node) -> None:
    text, shown = root.text, tables(root)
    (claim,) = next(rows for caption, rows in shown.items() if caption.startswith("It <b>helps"))
    assert claim["claim"] == "pgd-at > plain" and claim["verdict"] != ""
    assert {row["level"] for row in shown["What passed"]} == {"pass"}
    same = {row["setting"]: row["value"] for row in shown["The same in all runs"]}
    assert same == {"data": "digits", "model": "lenet5", "epochs": "10", "lr": "0.1"} | {
        "label-noise": "0.0"
    }
    assert [row["seed"] for row in shown["Runs"]] == 2 * ["0", "1", "2"]
    assert {row["of"] for row in shown["Versions"]} >= {"robustmix", "torch", "python"}
    commands = [node.text for node in root.every("code")]
    assert commands[0] == (
        "robustmix train --data digits --model lenet5 --epochs 10 --lr 0.1 --label-noise 0.0 "
        "--method plain --seed 0 --seed 1 --seed 2"
    )
    assert commands[-1] == "robustmix report 'a b' -o it.html"
    assert "Claims: " in text.partition("Decay curves")[2]


def test_what_did_not_pass_comes_with_its_remedy(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save(make_evaluation([0.0] * 45 + [0.05] * 5))
    checks = table(run).document["checks"]
    doubtful = [each for each in checks if each["level"] != "pass"]
    assert doubtful
    shown = tables(read(bare([run])))["What did not pass"]
    assert {(row["check"], row["what was seen"], row["what to do"]) for row in shown} == {
        (each["check"], each["text"], each["remedy"]) for each in doubtful
    }


@pytest.mark.parametrize("evil", EVIL)
def test_names_are_text_wherever_they_come_from(tmp_path: Path, evil: str) -> None:
    run = make_run(tmp_path, "plain")
    config = {**run.config, "method": evil, "data": evil, evil: evil}
    versions = {evil: evil}
    run = run.update(config=config, versions=versions, device=evil, created=evil)
    note = {"notes": [evil], "device": evil, "versions": versions}
    cost = {"seconds": 1, "forwards": 2, "backwards": 1}
    run.save(make_evaluation([0.1, 0.2, 0.3], attack=evil, norm=evil, cost=cost, **note))
    text = bare([run], command=evil)
    found = read(text)
    assert len(found.every("script")) == 1 and not found.every("img")
    assert not [k for n in found.every() for k in n.attributes if k.startswith(("on", "auto"))]
    assert evil in found.text and evil not in text.replace("'", "x") + "'"
    assert all(evil != name for node in found.every() for name in node.attributes)


def test_it_can_be_sent_without_telling_folders(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, data=f"npz:/home/{who}/x.npz") for who in ("me", "other")]
    for run in runs:
        run.save(make_evaluation([0.1, 0.2], epsilons="0:0.3:0.1"))
    made = bare(runs)
    assert "/home" not in made and "plain, npz:me/x.npz" in made
    title = read(made).every("title")[0].text
    assert title == "Robustness of 2 networks on npz:me/x.npz, npz:other/x.npz"


@pytest.mark.slow
def test_a_page_of_thirty_runs_stays_small(tmp_path: Path) -> None:
    methods = ["plain", "mixup", "pgd-at", "sat", *(f"trades:beta={i}" for i in range(6))]
    runs = make_study(tmp_path, methods, 3, ["linf-fgsm", "l2-boundary"], n=20)
    made = bare(runs, by="run")
    room_of_figures = 500_000
    assert len(made.encode()) + room_of_figures < 1_000_000
    assert len(runs) == 30 and made.count('class="line ') == 60


def test_one_file_whole_or_not_there(study: list[Run], tmp_path: Path) -> None:
    path = tmp_path / "new" / "it.html"
    shown = write_page(study[:1], path)
    assert str(shown) == str(table(study[:1]))
    assert read(path.read_text("utf-8")).every("title")[0].text == (
        "Robustness of 1 network on digits"
    )
    assert [p.name for p in path.parent.iterdir()] == ["it.html"]


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (lambda run: write_page(run, "it.txt"), UsageError, "it.txt: a page is a file that ends"),
        (lambda run: write_page(run, "it.html"), RunError, "not attacked yet"),
    ],
)
def test_what_is_no_page(
    tmp_path: Path, act: Callable[[Run], None], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        act(make_run(tmp_path))
