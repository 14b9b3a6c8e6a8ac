"""How often a targeted attack reaches its class stands beside accuracy, in every form."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from fake_runs import draw, make_evaluation, make_run, make_transfer, save_transfer

from robustbench_cli.reporting.formats.table import Table
from robustbench_cli.reporting.report import table, transfer_table
from robustbench_cli.reporting.tables.points import points_table
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run
from robustbench_cli.statistics.intervals import wilson

AIMED = "linf-pgd:target=3"


def aimed(evaluation: Evaluation) -> Evaluation:
    """The same rows, aimed at class 3; what broke an image of class 2 has reached it."""
    rows = evaluation.samples.assign(target=3)
    return Evaluation(AIMED, "linf", evaluation.epsilons, rows, {**evaluation.record})


def reached(evaluation: Evaluation, eps: str) -> tuple[int, int]:
    rows = evaluation.samples[evaluation.samples["eps"] == eps]
    others = rows[rows["label"] != 3]
    return int((others["prediction"] == 3).sum()), len(others)


def csv(made: Table) -> pd.DataFrame:
    return pd.read_csv(StringIO(made.render("csv")), dtype={"eps": str})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = make_run(tmp_path)
    made.save(make_evaluation(draw(0.9, 0.2), epsilons="0.1,0.2"))
    return made


def test_the_points_of_a_targeted_attack_have_a_column_for_its_class(run: Run) -> None:
    attack = aimed(make_evaluation(draw(0.9, 0.2), epsilons="0.1,0.2"))
    plain = run.save(make_evaluation(draw(0.9, 0.2), epsilons="0.1,0.2"))
    target = run.save(attack)
    made, (hit, n) = points_table([plain, target]), reached(attack, "0.2")
    low, high = wilson(hit, n)
    assert f"{100 * hit / n:.1f} [{100 * low:.1f}–{100 * high:.1f}]" in str(made)
    row = csv(made).query("attack == @AIMED and eps == '0.2'").iloc[0]
    assert (row["at_target"], row["aimed"]) == (pytest.approx(hit / n), n)
    points = {c["attack"]: c["points"] for c in made.document["curves"]}
    assert points[AIMED][-1]["at_target_low"] == pytest.approx(low, abs=1e-6)
    assert "at_target" not in points["linf-pgd"][-1]
    alone = points_table([plain])
    assert "at target" not in str(alone) and "at_target" not in csv(alone)


def test_a_report_has_a_section_for_it(run: Run) -> None:
    attack = aimed(make_evaluation(draw(0.9, 0.2), epsilons="0,0.1,0.2"))
    run.save(attack)
    made, (hit, n) = table([run], epsilons="0.2"), reached(attack, "0.2")
    (section,) = [section for section in made.sections if "at target" in section.title]
    assert section.title.startswith(AIMED)
    assert section.rows[0][-1].startswith(f"{100 * hit / n:.1f} [")
    assert set(csv(made).query("eps == '0.2'")["at_target"].dropna().round(6)) == {
        round(hit / n, 6)
    }
    (curve,) = [c for c in made.document["curves"] if c["attack"] == AIMED]
    assert curve["points"][-1]["at_target"] == pytest.approx(hit / n, abs=1e-6)


def test_transfers_say_how_many_reached_the_class_on_the_other_network(tmp_path: Path) -> None:
    source, target = make_run(tmp_path), make_run(tmp_path, "pgd-at")
    attack = aimed(make_transfer(draw(0.9, 0.2), source, target))
    save_transfer(source, attack)
    made, (hit, n) = transfer_table([source]), reached(attack, "0.1")
    (entry,) = transfer_table([source], epsilons="0.1").document["transfers"]
    assert (entry["at_target"], entry["aimed"]) == (pytest.approx(hit / n, abs=1e-6), n)
    assert entry["at_target_high"] == pytest.approx(wilson(hit, n)[1], abs=1e-6)
    assert any("taken for the class aimed at" in section.title for section in made.sections)
    save_transfer(source, make_transfer(draw(0.9, 0.2), source, target))
    plain = transfer_table([source], attack=["linf-pgd"], epsilons="0.1")
    assert all("taken for" not in section.title for section in plain.sections)


def test_seeds_are_averaged_at_the_target_as_well(tmp_path: Path) -> None:
    runs, rates = [], []
    for seed in range(3):
        attack = aimed(make_evaluation(draw(0.9, 0.2, seed=seed), epsilons="0.1,0.2"))
        runs.append(make_run(tmp_path, seed=seed))
        runs[-1].save(attack)
        hit, n = reached(attack, "0.2")
        rates.append(hit / n)
    (curve,) = table(runs).document["curves"]
    assert curve["points"][-1]["at_target"] == pytest.approx(sum(rates) / 3, abs=1e-6)
