"""card.json as other programs read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from robustbench_cli.errors import RunError
from robustbench_cli.reporting.card.schema import CARD, FORMAT, KIND, described, read_card

ROOT = Path(__file__).parents[3]
CARDS = sorted((ROOT / "examples/results/cards").glob("*/card.json"))
README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.parent.name)
def test_the_examples_are_cards(path: Path) -> None:
    document = read_card(path)
    clean = next(each for each in document["numbers"] if each["what"] == "clean")
    for robust in document["robust"]:
        mine = [e for e in document["numbers"] if e["norm"] == robust["norm"]]
        assert robust["accuracy"] <= min(each["accuracy"] for each in (*mine, clean))
        assert all(each["low"] <= each["accuracy"] <= each["high"] for each in mine)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": None}, "is no card: expected the kind 'robustmix card'"),
        ({"format": 2}, "has format 2, expected 1; read it with the robustmix that wrote it"),
        ({"verdict": 3}, "verdict is 3, expected a text"),
        ({"numbers": [{}]}, "it has no 'what'"),
    ],
)
def test_anything_else_is_refused_in_a_line(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    document = {**json.loads(CARDS[0].read_text("utf-8")), **changes}
    (tmp_path / "card.json").write_text(json.dumps(document))
    with pytest.raises(RunError) as refused:
        read_card(tmp_path / "card.json")
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_every_key_is_described_once() -> None:
    keys = list(described())
    assert len({key for key, _, _ in keys}) == len(keys)
    assert all(kind and about for _, kind, about in keys)
    assert ("protocol.minutes", "number or null", "the budget") in keys


def test_the_readme_names_them() -> None:
    section = README.partition("## A card for a referee\n")[2].partition("\n## ")[0]
    assert [entry.name for entry in CARD if f"`{entry.name}`" not in section] == []
    assert f"format {FORMAT}" in section and KIND in section
