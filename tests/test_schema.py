"""What a table or a document must hold is said in one line where it does not."""

from __future__ import annotations

from math import inf, nan

import pandas as pd
import pytest

from robustbench_cli.errors import RunError
from robustbench_cli.schema import Column, Entry, Schema, check_document

FRUIT = Schema(
    (
        Column("name", "text", "what it is called"),
        Column("seeds", "whole", "how many", low=0),
        Column("weight", "number", "in kilograms", low=0, high=5, empty=True),
        Column("ripe", "flag", "whether it can be eaten", optional=True),
    ),
    key=("name",),
)
GOOD = pd.DataFrame({"name": ["pear", "fig"], "seeds": [4, 900], "weight": [0.2, nan]})


def test_what_fits_passes_also_with_columns_that_nobody_named() -> None:
    FRUIT.check(GOOD, "fruit.csv", "pick again")
    FRUIT.check(GOOD.assign(ripe=[True, False], colour="green"), "fruit.csv", "pick again")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": [4.5, 1]}, "seeds is 4.5 in row 1, expected a whole number from 0 on"),
        ({"seeds": [4, nan]}, "seeds is nothing in row 2, expected a whole number from 0 on"),
        ({"seeds": [4, -1]}, "seeds is -1 in row 2"),
        ({"seeds": ["4", "many"]}, "seeds is many in row 2"),
        ({"seeds": [True, False]}, "seeds is True in row 1"),
        ({"seeds": [None, "many"]}, "seeds is nothing in row 1"),
        ({"weight": [inf, 1]}, "weight is inf in row 1, expected a number from 0 to 5 or nothing"),
        ({"weight": [0.1, 5.1]}, "weight is 5.1 in row 2"),
        ({"weight": ["heavy", nan]}, "weight is heavy in row 1"),
        ({"seeds": [4, 1e300]}, "seeds is 1e+300 in row 2, expected a whole number from 0 on"),
        ({"seeds": [4, 10**30]}, f"seeds is {10**30} in row 2, expected a whole number from 0 on"),
        ({"seeds": [4, 10**400]}, "seeds is 1000"),
        ({"weight": ["9" * 400, 1]}, "weight is 9999"),
        ({"name": ["pear", None]}, "name is nothing in row 2, expected text"),
        ({"ripe": ["True", "a\nb"]}, "ripe is True in row 1, expected True or False"),
        ({"ripe": [1, 0]}, "ripe is 1 in row 1, expected True or False"),
        ({"ripe": [True, nan]}, "ripe is nothing in row 2, expected True or False"),
        ({"name": ["fig", "fig"]}, "name fig stands there twice, again in row 2"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, list[object]], said: str) -> None:
    with pytest.raises(RunError) as refusal:
        FRUIT.check(GOOD.assign(**changes), "fruit.csv", "pick again")
    assert str(refusal.value).startswith(f"fruit.csv: {said}")
    assert str(refusal.value).endswith("; pick again")
    assert "\n" not in str(refusal.value)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(RunError, match=r"^fruit: no column 'seeds' in: name, weight; pick again$"):
        FRUIT.check(GOOD.drop(columns="seeds"), "fruit", "pick again")


CARD = (
    Entry("title", "text", "of the book"),
    Entry("pages", "whole number", "how many", empty=True),
    Entry("authors", "list of objects", "who", (Entry("born", "number", "year"),), optional=True),
)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"pages": 3}, "it has no 'title'"),
        ({"title": 3, "pages": 3}, "title is 3, expected a text"),
        ({"title": "a", "pages": True}, "pages is True, expected a whole number or null"),
        ({"title": "a", "pages": 10**400}, "pages is 1000"),
        ({"title": "a", "pages": 1, "authors": [{"born": 10**400}]}, "born is 1000"),
        ({"title": "a", "pages": 1, "authors": [3]}, "authors is [3], expected a list of objects"),
        ({"title": "a", "pages": 1, "authors": [{}]}, "it has no 'born'"),
        ({"title": "a", "pages": 1, "authors": [{"born": nan}]}, "born is nan"),
    ],
)
def test_a_document_is_checked_down_to_its_parts(document: dict[str, object], said: str) -> None:
    check_document({"title": "a", "pages": None, "more": [1]}, CARD, "card", "write it again")
    with pytest.raises(RunError) as refusal:
        check_document(document, CARD, "card", "write it again")
    assert str(refusal.value).startswith(f"card is damaged: {said}")
