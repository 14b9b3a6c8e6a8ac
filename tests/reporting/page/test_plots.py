"""matplotlib's drawings inside a page."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from fake_runs import make_study
from pages import Node, read

from robustbench_cli.reporting.page.element import render
from robustbench_cli.reporting.page.plots import inline
from robustbench_cli.reporting.report import figure, table
from robustbench_cli.runs.run import Run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    return make_study(folder, ["plain", "<b>&\"x'</b>"], 1, ["linf-fgsm"], "0:0.4:0.1", n=40)


@pytest.fixture(scope="module")
def drawn(runs: list[Run]) -> Node:
    return read(render(inline(figure("decay-curve", runs), "a-name")))


def test_ids_carry_the_name_and_nothing_speaks_of_the_page(drawn: Node) -> None:
    nodes = drawn.every()
    ids = [node.attributes["id"] for node in nodes if "id" in node.attributes]
    assert ids and all(each.startswith("a-name-") for each in ids) and len(ids) == len(set(ids))
    values = [value for node in nodes for value in node.attributes.values()]
    for value in values:
        assert set(re.findall(r"url\(#([^)]+)\)", value)) <= set(ids)
        assert "http" not in value and "DejaVu" not in value
    used = {n.attributes["href"][1:] for n in nodes if "href" in n.attributes}
    assert used and used <= set(ids)
    assert not drawn.every("style", "metadata")


def test_a_value_at_every_point(drawn: Node, runs: list[Run]) -> None:
    """Those of the table, where the picture has them: rightmost is the largest epsilon."""
    curve = table(runs).document["curves"][0]
    (hidden,) = (n for n in drawn.every("g") if n.attributes.get("class") == "values")
    mine = [c for c in hidden.every("circle") if c.text.startswith("plain, ")]
    assert [c.text for c in mine] == [
        f"plain, ε (L∞, pixels in [0, 1]) {p['eps_value']:.4g}, "
        f"accuracy (%) {100 * p['accuracy']:.4g}"
        for p in curve["points"]
    ]
    places = [float(c.attributes["cx"]) for c in mine]
    steps = [b - a for a, b in pairwise(places)]
    assert steps == pytest.approx([steps[0]] * 4, abs=0.11) and steps[0] > 10
    falls = [float(c.attributes["cy"]) for c in mine]
    down = [(falls[0] - y) / (falls[0] - falls[-1]) for y in falls]
    first, last = curve["points"][0]["accuracy"], curve["points"][-1]["accuracy"]
    wanted = [(first - p["accuracy"]) / (first - last) for p in curve["points"]]
    assert down == pytest.approx(wanted, abs=0.01)


def test_names_stay_text(drawn: Node) -> None:
    assert "<b>&\"x'</b>" in " ".join(node.text for node in drawn.every("text"))
    assert not drawn.every("b")


def test_of_very_many_points_none_answers() -> None:
    from matplotlib.figure import Figure

    canvas = Figure()
    canvas.subplots().plot(range(1000), range(1000))
    assert not inline(canvas, "many").findall(".//circle")
