"""Tables of analyses on disk: read back as they were written, or refused in one line."""

from __future__ import annotations

import json
from math import isnan, nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from robustbench_cli.errors import RunError
from robustbench_cli.runs.analysed import Analysed, Number
from robustbench_cli.runs.evaluation import save_rows


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    table = pd.DataFrame(
        {
            "index": [3, 1],
            "loss": np.array([0.1, nan], np.float32),
            "exact": [1 / 3, 1e-300],
            "name": ["", "nan"],
            "right": [True, False],
        }
    )
    numbers = (Number("share", 0.25, "share", 8), Number("empty", nan, "pixels"))
    return Analysed("thing:a=1", table, numbers, {"seed": 0}).save(tmp_path)


def test_a_table_comes_back_as_it_was(stored: Path) -> None:
    found = Analysed.load(stored)
    assert found.analysis == "thing:a=1" and found.record["seed"] == 0
    assert found.table["index"].tolist() == [3, 1]
    assert found.table["exact"].tolist() == [1 / 3, 1e-300]
    assert found.table["name"].tolist() == ["", "nan"]
    assert found.table["right"].tolist() == [True, False]
    assert np.float32(found.table["loss"][0]) == np.float32(0.1) and isnan(found.table["loss"][1])
    assert found["share"] == 0.25 and found.numbers[0].of == 8 and isnan(found["empty"])


def test_the_same_result_has_the_same_bytes(stored: Path) -> None:
    rows = stored.with_suffix(".csv.gz")
    before = rows.read_bytes()
    Analysed.load(stored).save(stored.parent)
    assert rows.read_bytes() != b"" and len(before) == len(rows.read_bytes())


def test_a_table_that_is_not_the_records_is_refused(stored: Path) -> None:
    rows = stored.parent / json.loads(stored.read_text())["rows"]
    save_rows(pd.DataFrame({"index": [1]}), rows)
    with pytest.raises(RunError, match=r"is not what .* describes; delete both, run again"):
        Analysed.load(stored)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("columns", {"index": "i"}),
        ("columns", None),
        ("numbers", [{"name": "a", "value": 1, "unit": "miles"}]),
        ("numbers", [{"value": 1}]),
        ("rows", 7),
    ],
)
def test_a_damaged_record_is_refused_in_one_line(stored: Path, key: str, value: object) -> None:
    stored.write_text(json.dumps({**json.loads(stored.read_text()), key: value}))
    with pytest.raises(RunError, match="delete it and run again") as refusal:
        Analysed.load(stored)
    assert "\n" not in str(refusal.value)


def test_a_missing_table_is_said(stored: Path) -> None:
    (stored.parent / json.loads(stored.read_text())["rows"]).unlink()
    with pytest.raises(RunError, match="cannot read"):
        Analysed.load(stored)
