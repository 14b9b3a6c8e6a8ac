"""A union over norms stands apart, in tables of attacks and in reports."""

from __future__ import annotations

from pathlib import Path

from fake_runs import make_evaluation, make_run

from robustbench_cli.reporting.report import table
from robustbench_cli.reporting.tables.points import points_table
from robustbench_cli.runs.run import Run

UNION = "linf=0.3,l2=1"


def attacked(folder: Path, seed: int, *, whole: bool = True) -> tuple[Run, list[Path]]:
    """Of five: one wrong, one broken in Linf alone, one in L2 alone, one in both, one in none."""
    run = make_run(folder, seed=seed)
    parts = [make_evaluation([0, 0.2, 0.5, 0.2, 0.5], "worst-case:linf", "linf", "0.3")]
    if whole:
        parts.append(make_evaluation([0, 1.5, 0.5, 0.5, 1.5], "worst-case:l2", "l2", "1"))
    return run, [run.save(part) for part in parts]


def test_below_the_attacks_it_has_a_section_and_says_who_broke_what(tmp_path: Path) -> None:
    _, files = attacked(tmp_path, 0)
    made = points_table(files, UNION)
    *single, union = made.sections
    assert not any("union" in cell for section in single for row in section.rows for cell in row)
    assert union.title == "union over norms, linf=0.3,l2=1: per sample, deployed view"
    assert union.header[1:] == (
        *("clean", "under the union", "L∞ alone", "L2 alone", "several", "images"),
    )
    assert union.rows[0][2].startswith("20.0 [") and union.rows[0][3:] == ("1", "1", "1", "5")
    (entry,) = made.document["unions"]
    assert entry["accuracy"] == 0.2 and [ball["alone"] for ball in entry["balls"]] == [[1], [1]]
    assert entry["union"] == UNION and entry["several"] == [1] and entry["n"] == 5
    assert {curve["attack"] for curve in made.document["curves"]} == {
        *("worst-case:linf", "worst-case:l2"),
    }


def test_a_report_has_it_over_seeds_and_names_the_runs_without(tmp_path: Path) -> None:
    runs = [attacked(tmp_path, seed, whole=seed < 2)[0] for seed in range(3)]
    made = table(runs, unions=UNION)
    (union,) = (section for section in made.sections if section.title.startswith("union"))
    assert union.rows == (("plain", "80.0 (80.0, 80.0)", "20.0 (20.0, 20.0)"),)
    (note,) = (note for note in made.notes if "union" in note)
    assert note.startswith(f"{runs[2].name}: not attacked in all of {UNION}")
    assert "unions" not in table(runs).document
