"""Published numbers and claims as tables, files and a picture."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fake_runs import make_study

from robustbench_cli import figure, judge, table
from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.figures._canvas import wrapped
from robustbench_cli.reporting.writing import write_report
from robustbench_cli.runs.run import Run

SAID = {
    "published": [
        {"method": "plain", "attack": "linf-fgsm", "eps": ["0", "0.1"], "value": [99, 20]},
        {"method": "vib", "measure": "cost", "value": 61.6, "source": "table 4.1"},
    ],
    "claim": [
        {
            "text": "Training against an attack withstands it far better | than anything else.",
            "better": "pgd-at",
            "than": ["plain", "vib"],
            "attack": "linf-fgsm",
            "measure": "area",
            "margin": 5,
        },
        {"better": "plain", "than": "pgd-at", "attack": "linf-fgsm", "eps": "0.2"},
        {"equal": ["plain", "pgd-at"], "within": 2, "measure": "clean"},
    ],
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Not to be written to."""
    folder = tmp_path_factory.mktemp("study")
    return make_study(folder, ["plain", "pgd-at"], 3, ["linf-fgsm"], "0:0.4:0.1", n=60)


@pytest.fixture(scope="module")
def document(study: list[Run]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(judge(study, SAID).render("json"))
    return found


def test_a_screen_says_what_became_of_each_claim(study: list[Run]) -> None:
    text = str(judge(study, SAID))
    assert "withstands it far better | than anything else.\n" in text
    (row,) = (line for line in text.splitlines() if line.startswith("pgd-at > plain by 5"))
    assert row.endswith("supported") and "[+" in row
    assert any(line.endswith("contradicted") for line in text.splitlines())
    assert "pgd-at > vib by 5, linf-fgsm, area: missing: no run of vib;" in text
    assert "4 claims: difference [interval]; each of 98.75 %, so that all hold with 95 %." in text
    assert "Claims: 1 supported, 1 not supported, 1 contradicted, 1 missing." in text
    assert max(map(len, text.splitlines())) <= 100


def test_json_holds_what_the_verdict_is_made_of(document: dict[str, Any]) -> None:
    claims = document["claims"]
    assert [c["verdict"] for c in claims] == [
        "supported",
        "missing",
        "contradicted",
        "not supported",
    ]
    for claim in claims:
        if claim["low"] is not None:
            inside = claim["above"] < claim["low"]
            inside &= claim["below"] is None or claim["high"] < claim["below"]
            assert inside == (claim["verdict"] == "supported")
            assert claim["low"] <= claim["difference"] <= claim["high"]
            assert claim["seeds"] == [[0, 1, 2], [0, 1, 2]] and claim["images"] == 60
    assert claims[1]["why"].startswith("no run of vib")
    assert [p["inside"] for p in document["published"]] == [True, False, None]
    assert document["published"][1]["published"] == 0.2


def test_csv_has_a_row_for_each_statement(study: list[Run], document: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(judge(study, SAID).render("csv"))))
    assert [row["statement"] for row in rows] == ["published"] * 3 + ["claim"] * 4
    assert [row["verdict"] for row in rows[3:]] == [c["verdict"] for c in document["claims"]]
    assert rows[3]["runs_first"] == "3" and rows[0]["images"] == "60"


@pytest.mark.usefixtures("unsaved_pictures")
def test_a_report_has_both_in_every_format_and_a_picture(study: list[Run], tmp_path: Path) -> None:
    made, written = write_report(study, tmp_path, statements=SAID)
    names = {path.name for path in written}
    for stem in ("published", "claims"):
        assert {f"{stem}{suffix}" for suffix in (".txt", ".md", ".csv", ".json", ".tex")} <= names
    assert {"claims.png", "claims.svg"} <= names
    assert str(made).splitlines()[-1].startswith("Checks: "), "a table ends with its verdict"
    assert "| pgd-at > plain by 5 |" in (tmp_path / "claims.md").read_text()
    assert r"pgd-at $>$ plain" in (tmp_path / "claims.tex").read_text()
    whole = json.loads(made.render("json"))
    assert {"curves", "rows", "claims", "published", "verdict"} <= set(whole)
    assert made.render("csv") == table(study).render("csv")


def test_a_picture_has_a_row_and_a_colour_for_each(study: list[Run]) -> None:
    drawing = figure("claims", study, statements=SAID)
    (panel,) = drawing.axes
    assert [label.get_text().split("\n")[0] for label in panel.get_yticklabels()] == [
        "pgd-at > plain by 5",
        "pgd-at > vib by 5",
        "plain > pgd-at",
        "plain = pgd-at within 2",
    ]
    (written,) = panel.texts
    assert written.get_text().startswith("missing: no run of vib")
    names = [text.get_text() for text in drawing.legends[0].get_texts()]
    assert names[:3] == ["supported", "not supported", "contradicted"]
    assert "missing" not in names[3:], "it has no mark to look up"
    rows = [
        y for line in panel.get_lines() if set(line.get_xdata()) == {0} for y in line.get_ydata()
    ]
    assert tuple(rows[2:4]) == (0.5, 0.5), "no line of zero through what is written"
    with pytest.raises(UsageError, match="no claims to draw; name their file"):
        figure("claims", study)


def test_long_names_of_neighbouring_claims_do_not_run_into_each_other(study: list[Run]) -> None:
    long = "pgd-at:norm=linf,random-start=true,attack-bn=eval,clean=0"
    claim = {
        "better": long,
        "than": "plain",
        "attack": "linf-fgsm",
        "eps": ["0.1", "0.2", "0.3", "0.4"],
    }
    drawing = figure("claims:row=0.2", study, statements={"claim": claim})
    drawing.draw_without_rendering()
    boxes = [label.get_window_extent() for label in drawing.axes[0].get_yticklabels()]
    assert all(above.y0 > below.y1 for above, below in pairwise(boxes))


def test_nothing_to_judge(study: list[Run]) -> None:
    with pytest.raises(UsageError, match="nothing to judge: expected a claim"):
        judge(study, {})
    with pytest.raises(UsageError, match="no run has a setting 'colour'"):
        judge(study, {**SAID, "claim": {**SAID["claim"][2], "by": "colour"}})


def test_the_legend_calls_a_mark_what_its_row_calls_it(tmp_path: Path) -> None:
    """Of one run each, which is no verdict."""
    runs = make_study(tmp_path, ["plain", "pgd-at"], 1, ["linf-fgsm"], "0:0.2:0.1", n=20)
    claim = {"better": "pgd-at", "than": "plain", "attack": "linf-fgsm", "eps": "0.1"}
    drawing = figure("claims", runs, statements={"claim": [claim]})
    (written,) = drawing.axes[0].texts
    (name,) = (text.get_text() for text in drawing.legends[0].get_texts())
    assert written.get_text().startswith(f"{name}: ")


def test_a_run_s_name_inside_a_spec_is_broken_as_well() -> None:
    text = "corpus-at:source=mnist-lenet5-plain-epochs=3-batch-size=32-validation=0.02-s0,eps=0.2"
    lines = wrapped(text, 40).split("\n")
    assert "".join(lines) == text and max(map(len, lines)) <= 40
    assert wrapped("x" * 90, 40).split("\n") == ["x" * 40, "x" * 40, "x" * 10]
