"""The page of a card, read with a strict parser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import draw, make_evaluation, make_run, make_transfer
from pages import Node, read, tables

from robustbench_cli.epsilon import Eps
from robustbench_cli.reporting.card.document import Card
from robustbench_cli.reporting.card.parts import Part, Protocol, Threat
from robustbench_cli.reporting.card.shown import card_table
from robustbench_cli.reporting.page.card import card_page
from robustbench_cli.runs.run import Run

EVIL = '"><script>alert(1)</script>'
LINF = Threat("linf", Eps.parse("0.1"), EVIL)


def made(folder: Path, **config: str) -> Card:
    """Of sixty images: one step, a worst case and a transfer."""
    run, other = make_run(folder, **config), make_run(folder, "mixup")
    weights(run), weights(other)
    parts = []
    for role, spec, half in (("one step", "linf-fgsm", 0.2), ("worst case", "worst-case", 0.1)):
        found = make_evaluation(draw(0.95, half, 60), spec, epsilons="0.1")
        members = [{"eps": "0.1", "member": EVIL, "tried": 57, "broken": 1500, "seconds": 1.5}]
        members[0] |= {"forwards": 2000, "backwards": 0}
        about = {"cost": {"forwards": 2.0, "backwards": 1.0, "seconds": 3.0}}
        found.record.update(about, members=members if role == "worst case" else [])
        record = run.save(found)
        parts.append(Part(role, LINF, spec, record, "", 1.0))
    record = make_transfer(draw(0.9, 0.3, 60), other, run, "0.1").save(other.path / "transfer")
    parts.append(Part("transfer", LINF, "linf-pgd", record, "", 1.0))
    parts.append(Part("PGD", LINF, "linf-pgd", None, EVIL, 1.0))
    protocol = Protocol(
        *("light", "full", 0, 60, 10_000, 5.0, [LINF], other, 90.0, 9000.0),
        weaker=["PGD (steps=2; full: steps=3)"],
        left_out=[EVIL],
        command=f"robustmix card '{EVIL}'",
    )
    return Card(run, protocol, parts)


def weights(run: Run) -> None:
    run.weights.write_bytes(b"none")


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    return made(tmp_path_factory.mktemp("card"), model=EVIL)


@pytest.fixture(scope="module")
def root(card: Card) -> Node:
    return read(card_page(card))


def test_names_are_escaped(root: Node) -> None:
    assert len(root.every("script")) == 1, "its own"
    assert EVIL in root.text and not any(node.tag == "img" for node in root.every())
    for node in root.every():
        assert not any(name.startswith("on") for name in node.attributes)


def test_it_says_what_the_document_says(card: Card, root: Node) -> None:
    document, found = card.document, tables(root)
    (title,) = (caption for caption in found if caption.startswith("L∞, ε = 0.1"))
    rows = {row["under"]: row for row in found[title]}
    assert list(rows) == ["one step", "worst case", "transfer", "all attacks"]
    worst = next(each for each in document["numbers"] if each["what"] == "worst case")
    assert rows["worst case"]["accuracy (%)"].startswith(f"{100 * worst['accuracy']:.1f} [")
    (held,) = document["robust"]
    assert rows["all attacks"]["accuracy (%)"].startswith(f"{100 * held['accuracy']:.1f} [")
    (member,) = found["Worst case in L∞: each sees what is left"]
    assert member["member"] == EVIL and member["broke"] == "1,500"


def test_a_bar_for_each_with_its_interval(card: Card, root: Node) -> None:
    (panel,) = (node for node in root.every("svg") if "bars" in node.attributes["class"])
    names = ["clean", "one step", "worst case", "transfer", "all attacks"]
    assert [node.text for node in panel.every("text") if node.attributes["class"] == "y"] == names
    assert len(panel.every("path")) == len(panel.every("rect")) == 5
    widths = [float(node.attributes["width"]) for node in panel.every("rect")]
    shares = [each["accuracy"] for each in (*card.document["numbers"], *card.document["robust"])]
    assert widths == pytest.approx([share * 322 for share in shares], abs=0.1)


def test_what_a_budget_costs_in_certainty_is_said(card: Card, root: Node) -> None:
    sure = card.document["certainty"]
    assert f"60 images leave up to {100 * sure['half_width']:.1f} points either way" in root.text
    assert f"all 10,000 would leave {100 * sure['of_all']:.1f}" in root.text
    assert "Weaker than the full protocol: PGD (steps=2; full: steps=3)." in root.text
    facts = {row["setting"]: row["value"] for row in tables(root)["How it was chosen"]}
    assert facts["budget"] == "5 minutes" and facts["expected to take"] == "90 s"
    assert facts["full strength, all images, expected"] == "2.5 h"
    whole = replace(card, protocol=replace(card.protocol, n=10_000, weaker=[], left_out=[]))
    text = read(card_page(whole)).text
    assert "All test images; what is left open is up to" in text and "Weaker" not in text


def test_the_table_says_the_same(card: Card) -> None:
    text = str(card_table(card))
    assert "60 of 10,000 test images, light strength" in text
    assert "all attacks" in text and card.document["verdict"] in text
    assert f"PGD in linf: {EVIL}" in text, "what failed is named"


def test_what_robustbench_published_stands_beside_it(tmp_path: Path) -> None:
    card = made(tmp_path, zoo="robustbench:linf/Wang2023Better_WRN-28-10")
    line = card.document["network"]["published"]
    assert line.startswith(
        "robustbench:cifar10/linf/Wang2023Better_WRN-28-10: published: clean 92.44 %"
    )
    assert line in read(card_page(card)).text and line in str(card_table(card))
