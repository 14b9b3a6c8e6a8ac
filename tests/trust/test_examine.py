"""What the checks say of a table is said of what the table shows, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import draw, make_evaluation, make_run

from robustbench_cli.reporting.numbers.frame import collect
from robustbench_cli.runs.run import Run
from robustbench_cli.trust.examine import (
    Found,
    Subject,
    apart,
    entries,
    examine_runs,
    level_of,
    warnings,
)

JPEG = {"identity": {"view": "deployed", "defence": "jpeg"}, "truncated": True}

NOISY = {"repeat": 1.0, "repeat_flips": 0.1, "batch": 0.0, "batch_flips": 0.0, "probabilities": 0}


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
    checks = entries(found, [run])["checks"]
    (entry,) = [entry for entry in checks if entry["level"] != "pass"]
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


def test_what_was_not_asked_for_stands_apart_and_is_counted_apart(run: Run) -> None:
    failed = [{"index": 3, "reason": "no start"}]
    run.save(make_evaluation(draw(1.0, 0.2, 1000), "linf-fmn", truncated=False, failed=failed))
    asked = examine_runs([run], collect([run], attack="linf-fgsm"))
    assert warnings(asked) == []
    assert level_of(asked, [run.name]) == "passed"
    line = f"1 other warning about attacks not asked for: robustmix report {run.path}"
    assert apart(asked, [run]) == line
    document = entries(asked, [run])
    assert {entry["level"] for entry in document["checks"]} == {"pass"}
    (other,) = [entry for entry in document["other_checks"] if entry["level"] != "pass"]
    assert (other["check"], other["attacks"]) == ("failed-samples", ["linf-fmn"])
    assert document["other_verdict"] == line
    everything = examine_runs([run], collect([run]))
    assert any("could not be attacked" in line for line in warnings(everything))
    assert apart(everything, [run]) == "" and entries(everything, [run])["other_verdict"] is None


def test_what_compares_with_the_attack_that_was_asked_for_is_about_it(run: Run) -> None:
    distances = draw(1.0, 0.2, 1000)
    for attack, scale, one_step in (("linf-fgm", 0.5, True), ("linf-bim", 1.0, False)):
        record = {"access": "gradient", "one_step": one_step, "truncated": False}
        run.save(make_evaluation(distances * scale, attack, **record))
    beaten = [
        line
        for attack in ("linf-bim", "linf-fgm", "linf-pgd")
        for line in warnings(examine_runs([run], collect([run], attack=attack)))
        if "[one-step-beats-iterative]" in line
    ]
    assert len(beaten) == 2 and beaten[0] == beaten[1]


def test_earlier_work_of_the_same_attack_stands_apart_from_a_new_file(run: Run) -> None:
    rejected = [{"index": 3, "eps": "0.1", "reason": "outside the ball: linf distance 0.2"}]
    identity = {"identity": {"attack": "linf-pgd", "samples": 200}}
    new = run.save(make_evaluation(draw(1.0, 0.2, 1000), "linf-fmn", truncated=False))
    run.save(make_evaluation(draw(1.0, 0.2), "linf-fmn", rejected=rejected, **identity))
    found = examine_runs([run], collect([run], files=[new]))
    assert warnings(found) == [] and apart(found, [run]).startswith("1 other warning about")


def test_the_bare_network_is_another_than_the_deployed_one(run: Run) -> None:
    bare = {"identity": {"view": "bare"}, "signals": {"answers": NOISY}, "truncated": False}
    run.save(make_evaluation(draw(1.0, 0.2, 1000), "linf-bim", **bare))
    found = examine_runs([run], collect([run]))
    (line,) = [line for line in warnings(found) if "[randomised-outputs]" in line]
    assert line.startswith(f"{run.name} (bare): ")
    assert level_of(found, [run.name]) == "passed"
    assert level_of(found, [run.name], view="bare") == "warned"


def sizes(found: Found) -> list[str]:
    return [line for line in warnings(found) if "[sample-size]" in line]
