"""The heat map and the fall with severity, from tables that are written down here."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from fake_runs import make_evaluation, make_run

from robustbench_cli.reporting.report import figure
from robustbench_cli.runs.analysed import Analysed
from robustbench_cli.runs.run import Run

SPEC = "corruptions:images=made"


def corrupted(folder: Path, seed: int, worse: float) -> Run:
    """Two corruptions; accuracy falls by `worse` per severity, and twice as fast in fog."""
    cells = [("", 0), *product(("shot_noise", "fog"), range(1, 6))]
    rows = [(name, s, 0.9 - worse * s * (2 if name == "fog" else 1), 50) for name, s in cells]
    table = pd.DataFrame(rows, columns=["corruption", "severity", "accuracy", "n"])
    run = make_run(folder, "plain", seed)
    Analysed(SPEC, table, (), {"seed": 0}).save(run.path / "analyses")
    return Run.open(run.path)


@pytest.fixture
def pair(tmp_path: Path) -> list[Run]:
    return [corrupted(tmp_path, 0, 0.02), corrupted(tmp_path, 1, 0.04)]


def test_a_heat_map_has_every_cell_and_the_means(pair: list[Run]) -> None:
    drawing = figure("corruptions", pair)
    panel = drawing.axes[0]
    assert panel.get_title() == "plain (2 runs)"
    assert [t.get_text() for t in panel.get_yticklabels()] == ["shot noise", "fog", "mean of 2"]
    values = panel.images[0].get_array()
    assert values is not None and values.shape == (3, 6)
    assert list(values[:, 0]) == pytest.approx([87, 84, 85.5])
    assert list(values[:, 5]) == pytest.approx([81, 72, 76.5])  # the mean over severities
    assert drawing.get_supxlabel() == f"{SPEC}; 50 images"


def test_one_severity_has_no_column_of_means(tmp_path: Path) -> None:
    run = corrupted(tmp_path, 0, 0.02)
    (whole,) = run.analyses()
    mild = whole.table[whole.table["severity"] < 2]
    Analysed("corruptions:images=mnist_c", mild, (), {"seed": 0}).save(run.path / "analyses")
    values = figure("corruptions", run, analysis="corruptions:images=mnist_c").axes[0].images[0]
    assert values.get_array().shape == (3, 1)  # type: ignore[union-attr]


def test_decay_over_severity_stands_beside_decay_over_epsilon(pair: list[Run]) -> None:
    (alone,) = figure("corruptions:show=decay", pair).axes
    line = alone.get_lines()[0]
    assert list(line.get_xdata()) == [0, 1, 2, 3, 4, 5]
    assert list(line.get_ydata()) == pytest.approx([90, 85.5, 81, 76.5, 72, 67.5])
    for run in pair:
        run.save(make_evaluation([0.0, 0.1, 0.2, 0.3], epsilons="0,0.1,0.2"))
    left, right = figure("corruptions:show=decay", pair).axes
    assert (left.get_xlabel(), right.get_xlabel()) == ("severity", "L∞ epsilon")
    assert list(right.get_lines()[0].get_ydata()) == [75, 50, 25]
