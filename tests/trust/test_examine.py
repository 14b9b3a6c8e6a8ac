"""What the checks say of a table is said of what the table shows, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import draw, make_evaluation, make_run

from robustbench_cli.reporting.numbers.frame import collect
from robustbench_cli.runs.run import Run
from robustbench_cli.trust.examine import Found, Subject, entries, examine_runs, level_of, warnings

JPEG = {"identity": {"view": "deployed", "defence": "jpeg"}, "truncated": True}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Attacked twice on a whole test set, and once behind a defence on its first 200 images."""
    made = make_run(tmp_path)
    for attack in ("linf-fgsm", "linf-pgd"):
        made.save(make_evaluation(draw(1.0, 0.2, 1000), attack, truncated=False))
    made.save(make_evaluation(draw(1.0, 0.2), **JPEG))
    return made


def test_a_run_behind_a_defence_is_a_subject_of_its_own(run: Run) -> None:
    found = examine_runs([run], collect([run]))
    assert [*found] == [Subject(run.name), Subject(run.name, "jpeg")]
    assert level_of(found, [run.name]) == "passed"
    assert level_of(found, [run.name], "jpeg") == "warned"
    (line,) = warnings(found)
    assert line.startswith(f"{run.name} + jpeg: linf-pgd: the first 200 images only")
    (entry,) = [entry for entry in entries(found) if entry["level"] != "pass"]
    assert (entry["run"], entry["defence"]) == (run.name, "jpeg")


def test_a_table_without_the_defence_does_not_speak_of_it(run: Run) -> None:
    frame = collect([run])
    assert warnings(examine_runs([run], frame[frame["defence"] == ""])) == []


def test_the_size_of_a_sample_that_is_not_shown_is_no_matter(run: Run) -> None:
    run.save(make_evaluation(draw(1.0, 0.2, 50), "linf-bim", truncated=True))
    frame = collect([run], attack=["linf-fgsm", "linf-pgd"])
    assert not sizes(examine_runs([run], frame[frame["defence"] == ""]))
    (line,) = sizes(examine_runs([run], collect([run], attack="linf-bim")))
    assert "linf-bim: the first 50 images only" in line


def sizes(found: Found) -> list[str]:
    return [line for line in warnings(found) if "[sample-size]" in line]
