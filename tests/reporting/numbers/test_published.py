"""Published numbers beside ours; intervals by scipy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_runs import make_analysis, make_evaluation, make_run
from scipy import stats as reference

from robustbench_cli.reporting.numbers.published import Beside, beside
from robustbench_cli.reporting.statements import read_statements
from robustbench_cli.reporting.tables.published import published_table
from robustbench_cli.runs.analysed import Number
from robustbench_cli.runs.run import Run

WITHSTOOD = (60, 64, 71)  # of 100 images, at eps 0.1


def attacked(folder: Path, withstood: tuple[int, ...]) -> list[Run]:
    """All images are right unchanged, and these many at eps 0.1; none above."""
    made = []
    for seed, count in enumerate(withstood):
        run = make_run(folder, "plain", seed)
        distances = np.where(np.arange(100) < count, 0.15, 0.05)
        run.save(make_evaluation(distances, epsilons="0:0.2:0.1"))
        made.append(run)
    return made


def found(runs: list[Run], **section: object) -> Beside:
    section = {"method": "plain", "attack": "linf-pgd", **section}
    (one,) = beside(runs, read_statements({"published": section}).published)
    return one


@pytest.mark.parametrize(
    ("value", "inside"), [(65, True), (78.5, True), (79.1, False), (50, False)]
)
def test_inside_of_students_interval_over_seeds(tmp_path: Path, value: float, inside: bool) -> None:
    one = found(attacked(tmp_path, WITHSTOOD), eps="0.1", value=value)
    student = reference.ttest_1samp(np.array(WITHSTOOD) / 100, 0).confidence_interval()
    assert one.ours is not None and (one.ours.low, one.ours.high) == pytest.approx(tuple(student))
    assert one.difference == pytest.approx(0.65 - value / 100)
    assert one.inside == inside == (student.low <= value / 100 <= student.high)


def test_of_one_run_inside_of_wilsons_interval(tmp_path: Path) -> None:
    one = found(attacked(tmp_path, (60,)), eps="0.1", value=66)
    wilson = reference.binomtest(60, 100).proportion_ci(method="wilson")
    assert one.ours is not None and (one.ours.low, one.ours.high) == pytest.approx(tuple(wilson))
    assert one.inside is True and one.ours.interval == "wilson"


def test_two_runs_have_no_interval_to_be_inside_of(tmp_path: Path) -> None:
    one = found(attacked(tmp_path, (60, 64)), eps="0.1", value=62)
    assert one.inside is None and one.difference == pytest.approx(0)


def test_area_is_a_share_of_the_range(tmp_path: Path) -> None:
    one = found(attacked(tmp_path, (60, 60, 60)), measure="area", value=55)
    assert one.ours is not None and one.ours.value == pytest.approx((0.5 * 1 + 0.6) * 0.1 / 0.2)
    assert one.inside is True, "all runs are equal"
    clean = found(attacked(tmp_path / "more", (60, 60, 60)), eps=0, value=100)
    assert clean.difference == 0 and clean.inside is True


def test_cost_is_the_seconds_of_all_epochs(tmp_path: Path) -> None:
    runs = attacked(tmp_path, WITHSTOOD)
    for run, seconds in zip(runs, (1.0, 1.1, 1.2), strict=True):
        rows = {"epoch": range(1, 31), "loss": 1.0, "seconds": seconds}
        pd.DataFrame(rows).to_csv(run.path / "history.csv", index=False)
    one = found(runs, measure="cost", value=56.4, attack=[])
    assert one.ours is not None and one.ours.value == pytest.approx(33)
    assert one.difference == pytest.approx(33 - 56.4) and one.inside is False


def test_a_validation_loss_is_that_of_the_finished_network(tmp_path: Path) -> None:
    losses = (0.31, 0.35, 0.36)
    runs = [
        run.update(validation_loss=loss)
        for run, loss in zip(attacked(tmp_path, WITHSTOOD), losses, strict=True)
    ]
    one = found(runs, measure="validation-loss", value=0.5, attack=[])
    assert one.ours is not None and one.ours.value == pytest.approx(0.34) and one.inside is False
    text = str(published_table([one]))
    assert "0.34 ± 0.066" in text and "−0.16" in text


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ({"method": "vib"}, "no run of vib; there are: plain"),
        ({"eps": "0.15"}, "lacks eps 0.15; there are: 0, 0.1, 0.2"),
        ({"attack": "l2-fmn"}, "no run was attacked by l2-fmn; there are: linf-pgd"),
        ({"measure": "cost", "attack": [], "eps": []}, "no seconds of training are recorded"),
    ],
    ids=str,
)
def test_what_is_missing_is_named(tmp_path: Path, section: dict[str, object], why: str) -> None:
    one = found(attacked(tmp_path, WITHSTOOD), **{"eps": "0.1", "value": 50, **section})
    assert one.ours is None and one.difference is None and one.inside is None
    assert why in one.why


@pytest.mark.parametrize(
    ("unit", "value", "text"), [("pixels", 0.4362, "0.4362"), ("share", 43.62, "43.62")]
)
def test_a_number_of_an_analysis_beside_ours(
    tmp_path: Path, unit: str, value: float, text: str
) -> None:
    ours = (0.40, 0.44, 0.47)
    runs = [make_run(tmp_path, "plain", seed) for seed in range(3)]
    for run, margin in zip(runs, ours, strict=True):
        make_analysis(run, "margin:points=25", Number("mean", margin, unit))
    section = {"method": "plain", "analysis": "margin", "number": "mean", "value": value}
    (one,) = beside(runs, read_statements({"published": section}).published)
    student = reference.ttest_1samp(ours, 0).confidence_interval()
    assert one.ours is not None and (one.ours.low, one.ours.high) == pytest.approx(tuple(student))
    assert one.difference == pytest.approx(np.mean(ours) - 0.4362) and one.inside
    table = str(published_table([one]))
    assert text in table and "margin, mean" in table


def test_a_number_that_is_missing_is_shown_as_it_was_printed(tmp_path: Path) -> None:
    section = {"method": "plain", "analysis": "subspace-dimension", "number": "dimension"}
    given = read_statements({"published": {**section, "value": 44}}).published
    table = str(published_table(beside([make_run(tmp_path, "plain", 0)], given)))
    assert " 44 " in table and "4400" not in table
