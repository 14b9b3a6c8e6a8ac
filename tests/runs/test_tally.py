"""Counts in a record: those of the rows, dispensable, and never believed against them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_runs import draw, make_evaluation, make_run, make_transfer, save_transfer
from rows import make

from robustbench_cli.errors import RunError
from robustbench_cli.reporting.report import table, transfer_table
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run


@pytest.fixture
def study(tmp_path: Path) -> list[Run]:
    """Two networks, each attacked twice and shown the other's adversarials."""
    runs = [make_run(tmp_path, method) for method in ("plain", "pgd-at")]
    for seed, run in enumerate(runs):
        for attack in ("linf-pgd", "linf-fgsm"):
            run.save(make_evaluation(draw(0.9, 0.1 + seed / 10, 40, seed), attack))
        other = runs[1 - seed]
        save_transfer(run, make_transfer(draw(0.8, 0.2, 40, seed), run, other))
    return runs


def records(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.json") if p.name != "run.json")


def change(path: Path, **tally: object) -> None:
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "tally": {**record["tally"], **tally}}))


def test_the_counts_are_those_of_the_rows(tmp_path: Path) -> None:
    distances = draw(0.9, 0.2, 50)
    evaluation = make_evaluation(distances)
    loaded = Evaluation.load(evaluation.save(tmp_path))
    expected = [int((distances > float(eps)).sum()) for eps in evaluation.epsilons]
    assert list(loaded.tally.right) == expected and loaded.tally.clean == (distances > 0).sum()
    broken = [distances[(distances > 0) & (distances <= float(e))] for e in evaluation.epsilons[1:]]
    np.testing.assert_array_equal(
        loaded.tally.distance[1:], [np.median(d) if len(d) else np.nan for d in broken]
    )
    assert loaded.tally.document == evaluation.tally.document
    pd.testing.assert_frame_equal(loaded.accuracy(), evaluation.accuracy())


def test_transfers_are_counted_among_all_and_among_what_both_networks_classify(
    tmp_path: Path,
) -> None:
    source, target = make_run(tmp_path, "plain"), make_run(tmp_path, "pgd-at")
    made = make_transfer([0, 0.15, 0.25, 0.9], source, target, "0.1,0.3")
    made.samples.loc[made.samples["index"] == 1, "source_clean"] += 1  # only the target is right
    assert made.tally.transferred == ((4, 3, 2, 2), (4, 1, 2, 1))


def test_a_table_reads_no_rows(study: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("rows were read")

    expected = table([Run.open(run.path) for run in study]).render()
    for path in records(study[0].path.parent):
        path.touch()  # so that nothing is remembered
    monkeypatch.setattr("robustbench_cli.runs.evaluation._parse", refuse)
    assert table(study).render() == expected


@pytest.mark.parametrize("left", ["nothing", "of other rows", "nonsense"])
def test_without_counts_the_tables_are_the_same(study: list[Run], left: str) -> None:
    before = table(study).render(), transfer_table(study).render()
    for path in records(study[0].path.parent):
        record = json.loads(path.read_text())
        if left == "nothing":
            del record["tally"]
        elif left == "nonsense":
            record["tally"]["right"] = ["many"]
        else:
            record["tally"] |= {"of": "0" * 16, "clean": 0}
        path.write_text(json.dumps(record))
    assert (table(study).render(), transfer_table(study).render()) == before


@pytest.mark.parametrize(
    "lie",
    [
        {"right": [4, 4, 4, 4]},
        {"clean": 3},
        {"n": 5},
        {"answers": 2},
        {"images": "other"},
        {"moved": True},
        {"targeted": True},
        {"distance": [None, None, None, 0.5]},
        {"transferred": [[4, 4, 4, 4]] * 4},
    ],
)
def test_counts_that_contradict_the_rows_are_refused(
    tmp_path: Path, lie: dict[str, object]
) -> None:
    path = make().save(tmp_path)
    change(path, **lie)
    loaded = Evaluation.load(path)
    with pytest.raises(RunError, match=f"{path.name} counts otherwise than its rows in .*gz"):
        _ = loaded.samples
    with pytest.raises(RunError, match="delete both, run again"):
        loaded.correct()
