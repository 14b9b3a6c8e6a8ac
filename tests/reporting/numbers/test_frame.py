from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import make_evaluation, make_run

from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.numbers.frame import COLUMNS, collect, points

TEN = [0, 0.05, 0.15, 0.15, 0.25, 0.35, 0.35, 0.45, 0.9, 0.9]


def test_a_row_for_each_run_attack_and_epsilon(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, seed=seed) for seed in (0, 1)]
    for run in runs:
        run.save(make_evaluation(TEN, "linf-fgsm"))
        run.save(make_evaluation(TEN, "linf-pgd:steps=40", view="bare"))
    frame = collect(runs)
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == 2 * 2 * 6
    first = frame.iloc[2]
    assert (first["label"], first["seed"], first["eps"], first["classes"]) == (
        "plain",
        0,
        "0.2",
        10,
    )
    assert (first["accuracy"], first["broken"], first["n"]) == (0.6, 4, 10)
    assert first["median_distance"] == 0.15
    assert set(frame["view"]) == {"deployed", "bare"}


def test_a_grid_without_zero_gets_the_clean_accuracy() -> None:
    rows = points(make_evaluation(TEN, epsilons="0.1,0.3"))
    assert [row["eps"] for row in rows] == ["0", "0.1", "0.3"]
    assert [row["accuracy"] for row in rows] == [0.9, 0.8, 0.5]


def test_the_evaluation_with_the_most_samples_speaks(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save(make_evaluation([0.9] * 5, epsilons="0:0.5:0.1", identity={"attack": "linf-pgd"}))
    run.save(make_evaluation(TEN, epsilons="0.1,8/255", identity={"attack": "linf-pgd", "n": 10}))
    frame = collect([run]).set_index("eps")
    assert list(frame.index) == ["0", "8/255", "0.1", "0.2", "0.3", "0.4", "0.5"]
    assert frame["n"].to_dict()["0.1"] == 10
    assert frame["n"].to_dict()["0.2"] == 5
    assert set(frame["evaluations"]) == {2}


def test_two_spellings_of_an_epsilon_are_one(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save(make_evaluation(TEN, epsilons="0.2", identity={"attack": "linf-pgd"}))
    run.save(make_evaluation(TEN[1:], epsilons="51/255", identity={"attack": "linf-pgd", "n": 9}))
    assert list(collect([run])["eps"]) == ["0", "0.2"]


def test_attacks_are_chosen_by_spec_or_by_name(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for spec in ("linf-fgsm", "linf-pgd:steps=40", "linf-pgd:steps=100"):
        run.save(make_evaluation(TEN, spec))
    assert set(collect([run], attack="linf-pgd:steps=40")["attack"]) == {"linf-pgd:steps=40"}
    assert len(set(collect([run], attack="linf-pgd")["attack"])) == 2
    assert len(set(collect([run], attack=["linf-pgd", "linf-fgsm"])["attack"])) == 3
    with pytest.raises(UsageError, match=r"no run was attacked by l2-pgd; there are: linf-fgsm, "):
        collect([run], attack="l2-pgd")


def test_only_some_evaluations(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save(make_evaluation(TEN, "linf-fgsm"))
    chosen = run.save(make_evaluation(TEN, "linf-pgd"))
    assert set(collect([run], files=[chosen])["attack"]) == {"linf-pgd"}


def test_a_repeated_run_counts_once(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / folder) for folder in ("a", "b")]
    for run in runs:
        run.save(make_evaluation(TEN))
    assert len(collect(runs)) == 6


def test_runs_without_evaluations_give_no_rows(tmp_path: Path) -> None:
    assert collect([make_run(tmp_path)]).empty
