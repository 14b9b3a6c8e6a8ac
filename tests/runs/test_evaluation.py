"""Rows of an attack, and the record that vouches for them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import make

from robustbench_cli.errors import RunError
from robustbench_cli.files import digest
from robustbench_cli.runs.evaluation import Evaluation, file_name, save_rows


def test_accuracy_is_the_share_still_right_with_its_interval() -> None:
    evaluation = make()
    accuracy = evaluation.accuracy()
    assert list(accuracy["eps"]) == ["0", "0.1", "0.2", "0.3"]
    assert list(accuracy["accuracy"]) == [1.0, 0.75, 0.5, 0.25]
    assert (accuracy["low"] <= accuracy["accuracy"]).all()
    assert (accuracy["n"] == 4).all() and evaluation.n == 4
    assert evaluation.clean_accuracy == 1.0
    assert evaluation.correct().loc[2].tolist() == [True, True, True, False]


@pytest.mark.parametrize("rows", [slice(1, None), [*range(16), 15], [*range(15), 14]])
def test_of_every_sample_one_row_is_needed_at_each_epsilon(rows: slice | list[int]) -> None:
    whole = make()
    other = replace(whole, samples=whole.samples.iloc[rows])
    with pytest.raises(ValueError, match="not every sample has one row at each epsilon"):
        other.correct()


def test_an_epsilon_named_twice_is_one_line(tmp_path: Path) -> None:
    path = make().save(tmp_path)
    record = json.loads(path.read_text())
    rows = tmp_path / record["rows"]
    head, *lines = gzip.decompress(rows.read_bytes()).decode().splitlines(keepends=True)
    rows.write_bytes(gzip.compress("".join([head, *lines, *lines]).encode()))
    twice = {"epsilons": 2 * record["epsilons"], "rows_digest": digest(rows)}
    path.write_text(json.dumps({**record, **twice}))
    with pytest.raises(RunError, match="an epsilon is named twice"):
        Evaluation.load(path)


def test_the_order_of_rows_decides_nothing() -> None:
    whole = make()
    other = replace(whole, samples=whole.samples.iloc[::-1])
    pd.testing.assert_frame_equal(other.correct(), whole.correct())
    assert other.tally.document == whole.tally.document


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    evaluation = make()
    path = evaluation.save(tmp_path)
    loaded = Evaluation.load(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"{evaluation.file_name}.csv.gz",
        f"{evaluation.file_name}.json",
    ]
    assert (loaded.attack, loaded.norm, loaded.epsilons) == (
        evaluation.attack,
        evaluation.norm,
        evaluation.epsilons,
    )
    pd.testing.assert_frame_equal(loaded.samples, evaluation.samples.reset_index(drop=True))
    assert loaded.record["identity"] == evaluation.record["identity"]


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    one, two = (make().save(tmp_path / name) for name in ("one", "two"))
    for path in (one, one.with_suffix("").with_suffix(".csv.gz")):
        assert path.read_bytes() == (two.parent / path.name).read_bytes()


def test_distances_keep_every_digit(tmp_path: Path) -> None:
    values = [0.1, 1 / 3, 1e-17, float(np.float32(0.3)), 12345678.901234567]
    save_rows(pd.DataFrame({"distance": values}), tmp_path / "rows.csv.gz")
    found = pd.read_csv(tmp_path / "rows.csv.gz", dtype=str)["distance"].astype(float)
    assert found.tolist() == values


def test_the_name_tells_attacks_grids_and_sizes_apart_but_not_weights() -> None:
    names = {make(n).file_name for n in (3, 4)} | {make(seed=s).file_name for s in (1, 2)}
    assert len(names) == 4
    assert make(weights="a").file_name == make(weights="b").file_name
    assert file_name({"attack": "l2-pgd:steps=4,random-start=true"}).startswith("l2-pgd-steps=4-")


def test_rows_that_were_changed_are_noticed(tmp_path: Path) -> None:
    path = make().save(tmp_path)
    rows = tmp_path / json.loads(path.read_text())["rows"]
    text = gzip.decompress(rows.read_bytes()).decode()
    rows.write_bytes(gzip.compress(text.replace("0,0,0,0.1,1,", "0,0,0,0.1,0,").encode()))
    with pytest.raises(RunError, match=f"is not what {path.name} describes; delete both"):
        Evaluation.load(path)


@pytest.mark.parametrize("damage", ["gone", "cut", "garbage", "flipped"])
def test_damaged_rows_are_one_line(tmp_path: Path, damage: str) -> None:
    path = make(50).save(tmp_path)
    record = json.loads(path.read_text())
    rows = tmp_path / record["rows"]
    content = bytearray(rows.read_bytes())
    if damage == "gone":
        rows.unlink()
    else:
        if damage == "cut":
            content = content[:-20]
        elif damage == "garbage":
            content = bytearray(b"<html>")
        else:
            content[len(content) // 2] ^= 0xFF
        rows.write_bytes(content)
        path.write_text(json.dumps({**record, "rows_digest": digest(rows)}))
    with pytest.raises(RunError, match="delete it") as refusal:
        Evaluation.load(path)
    assert "\n" not in str(refusal.value)


@given(
    st.sampled_from(["attack", "norm", "epsilons", "rows", "rows_digest", "identity"]),
    st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.text(max_size=3))),
)
def test_a_record_with_a_wrong_value_loads_or_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    folder = tmp_path_factory.mktemp("record")
    path = make().save(folder)
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    try:
        Evaluation.load(path)
    except RunError as e:
        assert "\n" not in str(e)


def test_a_record_without_a_key_is_one_line(tmp_path: Path) -> None:
    path = make().save(tmp_path)
    whole = json.loads(path.read_text())
    for key in ("attack", "norm", "epsilons", "rows", "rows_digest"):
        path.write_text(json.dumps({k: v for k, v in whole.items() if k != key}))
        with pytest.raises(
            RunError, match=f"is damaged: it has no '{key}'; delete it and run again"
        ):
            Evaluation.load(path)


def test_rows_are_only_read_from_the_folder_of_the_record(tmp_path: Path) -> None:
    path = make().save(tmp_path / "attacks")
    record = json.loads(path.read_text())
    (tmp_path / "elsewhere.csv.gz").write_bytes((path.parent / record["rows"]).read_bytes())
    path.write_text(json.dumps({**record, "rows": "../elsewhere.csv.gz"}))
    with pytest.raises(RunError, match="cannot read"):
        Evaluation.load(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.drop(columns="label"), "no column 'label'"),
        (
            lambda rows: rows.assign(label=rows["label"].where(rows.index > 0)),
            "label is nothing in row 1",
        ),
        (lambda rows: rows.assign(prediction=-1), "prediction is -1 in row 1"),
        (lambda rows: rows.assign(distance=np.inf), "distance is inf in row 1"),
        (lambda rows: rows.assign(index=0), "index does not rise from row to row at eps 0"),
        (lambda rows: rows[rows["eps"] != "0.1"], "at the epsilons 0, 0.2, 0.3, are not as many"),
        (lambda rows: rows.iloc[:-1], "its 15 rows, at the"),
        (lambda rows: rows.assign(index=range(len(rows))), "index is not the same at every"),
        (lambda rows: rows.assign(label=range(len(rows))), "label is not the same at every"),
        (lambda rows: rows.iloc[:0], "its 0 rows, at the epsilons none, are not"),
    ],
)
def test_changed_rows_with_a_right_digest_are_named(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    path = make().save(tmp_path)
    record = json.loads(path.read_text())
    rows = tmp_path / record["rows"]
    save_rows(change(make().samples.reset_index(drop=True)), rows)
    path.write_text(json.dumps({**record, "rows_digest": digest(rows)}))
    with pytest.raises(RunError) as refusal:
        Evaluation.load(path)
    assert said in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(("number", "said"), [(2, "use a newer robustmix"), (0, "delete it and")])
def test_another_format_is_refused_by_name(tmp_path: Path, number: int, said: str) -> None:
    path = make().save(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": number}))
    with pytest.raises(RunError, match=f"format {number}, expected 1; {said}"):
        Evaluation.load(path)
