from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import make_evaluation, make_run

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.figures.scatter import pareto
from robustbench_cli.reporting.report import figure
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.runs.run import Run


def with_accuracies(folder: Path, clean_robust: dict[str, list[tuple[int, int]]]) -> list[Run]:
    """Of 10 images per run, so many right unchanged, and so many still at 0.1."""
    made = []
    for method, pairs in clean_robust.items():
        for seed, (clean, robust) in enumerate(pairs):
            run = make_run(folder, method, seed)
            distances = [9.0] * robust + [0.05] * (clean - robust) + [0.0] * (10 - clean)
            run.save(make_evaluation(distances, epsilons="0:0.2:0.1"))
            made.append(run)
    return made


POINTS = {
    "plain": [(10, 2)],
    "mixup": [(8, 1)],  # beaten by plain
    "pgd-at": [(9, 5), (7, 7)],  # mean 8, 6
    "sat": [(8, 5)],  # no better than pgd-at in clean accuracy
}


def test_a_point_for_each_run_and_a_large_one_for_means(tmp_path: Path) -> None:
    drawing = figure("scatter:eps=0.1,front=false", with_accuracies(tmp_path, POINTS))
    (panel,) = drawing.axes
    points = [(*line.get_xdata(), *line.get_ydata()) for line in panel.get_lines()]
    expected = [(100, 20), (80, 10), (90, 70, 50, 70), (80, 60), (80, 50)]
    assert points == [pytest.approx(each) for each in expected]
    assert panel.get_xlabel() == "clean accuracy (%)"
    assert panel.get_ylabel() == "accuracy at L∞ ε=0.1 (%)"


def test_the_front_is_of_means_that_nothing_beats(tmp_path: Path) -> None:
    runs = with_accuracies(tmp_path, POINTS)
    front = pareto(Selection.of(runs).curves, Eps.parse("0.1"))
    assert [curve.label for curve in front] == ["plain", "pgd-at"]
    panel = figure("scatter:eps=0.1", runs).axes[0]
    line = panel.get_lines()[-1]
    left, bottom = panel.get_xlim()[0], panel.get_ylim()[0]
    corners = [(100, bottom), (100, bottom), (100, 20), (80, 20), (80, 60), (left, 60)]
    drawn = list(zip(line.get_xdata(), line.get_ydata(), strict=True))
    assert drawn == [pytest.approx(corner) for corner in corners]


def test_of_many_groups_the_best_are_in_colour(tmp_path: Path) -> None:
    many = {f"mixup:alpha={k}": [(k, 10 - k), (k, 10 - k)] for k in range(6, 10)}
    many |= {f"cutmix:alpha={k}": [(5, 1)] for k in range(1, 10)}
    drawing = figure("scatter:eps=0.1", with_accuracies(tmp_path, many))
    names = [text.get_text() for text in drawing.legends[0].get_texts()]
    front = [f"mixup:alpha={k}" for k in (9, 8, 7, 6)]
    assert names[:4] == front
    assert names[-1] == "Pareto front of the means"


def test_panels_are_the_attacks_that_have_the_epsilon(tmp_path: Path) -> None:
    runs = with_accuracies(tmp_path, POINTS)
    for run in runs:
        run.save(make_evaluation([1.0] * 10, "l2-pgd", "l2", "0:2:0.5"))
    assert [p.get_title() for p in figure("scatter:eps=0.1", runs).axes] == ["linf-pgd"]
    assert len(figure("scatter", runs).axes) == 2
    with pytest.raises(UsageError, match=r"no run was attacked at eps 7; there are: 0\.1, 0\.2"):
        figure("scatter:eps=7", runs)
