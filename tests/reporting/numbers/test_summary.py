from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import make_evaluation, make_run

from robustbench_cli.reporting.numbers.frame import collect
from robustbench_cli.reporting.numbers.summary import Curve, Estimate, summarise
from robustbench_cli.statistics.intervals import t_interval, wilson


def curves(folder: Path, *seeds: list[float], **more: str) -> list[Curve]:
    """One group with these minimal distances for each of its seeds."""
    runs = []
    for seed, distances in enumerate(seeds):
        runs.append(make_run(folder, seed=seed))
        runs[-1].save(make_evaluation(distances, **more))
    return summarise(collect(runs))


LINE = [0.05, 0.15, 0.25, 0.35, 0.45]  # one of five samples falls in each step of 0.1


def test_one_run_has_wilsons_interval(tmp_path: Path) -> None:
    (curve,) = curves(tmp_path, LINE)
    assert curve.interval == "wilson"
    assert [e.value for e in curve.accuracy] == [1, 0.8, 0.6, 0.4, 0.2, 0]
    assert (curve.accuracy[2].low, curve.accuracy[2].high) == wilson(3, 5)
    assert curve.accuracy[2].half_width is None


def test_two_runs_have_none(tmp_path: Path) -> None:
    (curve,) = curves(tmp_path, LINE, [0.05, 0.9, 0.9, 0.9, 0.9])
    assert curve.interval == "none"
    assert curve.accuracy[5].values == (0, 0.8)
    assert (curve.accuracy[5].value, curve.accuracy[5].low) == (0.4, None)


def test_three_runs_have_students(tmp_path: Path) -> None:
    (curve,) = curves(tmp_path, LINE, LINE, [0, *LINE[1:]])
    expected = t_interval([0.6, 0.6, 0.6])
    assert curve.interval == "t"
    assert (curve.accuracy[2].low, curve.accuracy[2].high) == expected
    assert curve.clean.high == 1.0  # cut where accuracy ends
    assert curve.clean.half_width == pytest.approx(0.2869, abs=1e-4)  # not cut


def test_what_is_read_off_a_line(tmp_path: Path) -> None:
    (curve,) = curves(tmp_path, LINE)
    assert curve.area and curve.share and curve.half
    assert curve.area.value == pytest.approx(0.25)
    assert curve.share.value == pytest.approx(0.5)
    assert curve.half.value == pytest.approx(0.25)
    assert curve.half_reached


def test_a_run_that_never_falls_to_half_makes_a_lower_bound(tmp_path: Path) -> None:
    (curve,) = curves(tmp_path, LINE, [0.9] * 5)
    assert curve.half and not curve.half_reached
    assert curve.half.value == pytest.approx((0.25 + 0.5) / 2)


def test_two_epsilons_make_no_curve(tmp_path: Path) -> None:
    (curve,) = curves(tmp_path, LINE, epsilons="0.3")
    assert (curve.area, curve.share, curve.half) == (None, None, None)


def test_only_epsilons_that_all_runs_have_are_averaged(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, seed=0), make_run(tmp_path, seed=1)]
    runs[0].save(make_evaluation(LINE, epsilons="0:0.5:0.1"))
    runs[1].save(make_evaluation(LINE, epsilons="0.1,0.15,0.3"))
    (curve,) = summarise(collect(runs))
    assert [str(eps) for eps in curve.epsilons] == ["0", "0.1", "0.3"]


def test_attacks_and_views_stay_apart(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save(make_evaluation(LINE, "linf-pgd"))
    run.save(make_evaluation(LINE, "linf-pgd", view="bare", identity={"attack": "x"}))
    run.save(make_evaluation(LINE, "l2-pgd", norm="l2"))
    found = summarise(collect([run]))
    expected = [("l2-pgd", "deployed"), ("linf-pgd", "bare"), ("linf-pgd", "deployed")]
    assert [(c.attack, c.view) for c in found] == expected


def test_an_estimate_without_an_interval() -> None:
    assert Estimate.over([0.5]).interval == "none"


def test_every_accuracy_knows_how_many_images_it_is_of(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save(make_evaluation(LINE, epsilons="0:0.4:0.1"))
    run.save(make_evaluation(LINE * 2, epsilons="0.2", identity={"samples": 10}))
    (curve,) = summarise(collect([run]))
    assert curve.images == ((10, 10), (5, 5), (10, 10), (5, 5), (5, 5))
    assert curve.n == 5
