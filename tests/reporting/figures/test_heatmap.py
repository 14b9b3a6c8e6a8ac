from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import make_evaluation, make_run

from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.report import figure
from robustbench_cli.runs.run import Run


def grid_of_runs(folder: Path, **config: float) -> list[Run]:
    """10 images; of mixup with noise n and alpha a, a + 10 n are right from 0.1 on."""
    made = []
    for alpha in (2, 1):
        for noise in (0.0, 0.2):
            for seed, more in ((0, 0), (1, 1)):
                run = make_run(folder, f"mixup:alpha={alpha}", seed, label_noise=noise, **config)
                right = alpha + int(10 * noise) + more
                run.save(make_evaluation([9.0] * right + [0.05] * (10 - right)))
                made.append(run)
    return made


def test_cells_are_means_over_seeds(tmp_path: Path) -> None:
    drawing = figure("heatmap:x=label-noise,y=mixup:alpha,eps=0.1", grid_of_runs(tmp_path))
    panel, bar = drawing.axes
    below, above = panel.images[0].get_array().tolist()  # alpha 1 and 2
    assert (below, above) == (pytest.approx([15, 35]), pytest.approx([25, 45]))
    assert sorted(text.get_text() for text in panel.texts) == ["15.0", "25.0", "35.0", "45.0"]
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["0", "0.2"]
    assert [tick.get_text() for tick in panel.get_yticklabels()] == ["1", "2"]
    assert bar.get_ylabel() == "accuracy at ε=0.1 (%)"
    assert panel.get_title() == "linf-pgd"


def test_the_only_two_numbers_that_differ_need_not_be_named(tmp_path: Path) -> None:
    panel = figure("heatmap", grid_of_runs(tmp_path)).axes[0]
    assert {panel.get_xlabel(), panel.get_ylabel()} == {"label-noise", "mixup:alpha"}


def test_words_make_an_axis_and_a_hole_stays_empty(tmp_path: Path) -> None:
    runs = [*grid_of_runs(tmp_path)[:2], make_run(tmp_path, "plain", label_noise=0.2)]
    runs[-1].save(make_evaluation([9.0] * 10))
    panel = figure("heatmap:x=label-noise,y=method,value=clean", runs).axes[0]
    assert [tick.get_text() for tick in panel.get_yticklabels()] == ["mixup:alpha=2", "plain"]
    assert panel.images[0].get_array().mask.tolist() == [[False, True], [True, False]]


def test_what_differs_beside_the_two_makes_panels(tmp_path: Path) -> None:
    runs = [run for lr in (0.1, 0.2) for run in grid_of_runs(tmp_path / str(lr), lr=lr)]
    panels = figure("heatmap:x=label-noise,y=mixup:alpha", runs).axes[:-1]
    titles = [panel.get_title() for panel in panels]
    assert titles == ["mixup, lr=0.1, linf-pgd", "mixup, lr=0.2, linf-pgd"]


def test_one_number_is_not_enough(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save(make_evaluation([0.05]))
    with pytest.raises(UsageError, match="heatmap needs two settings: --figure heatmap:x="):
        figure("heatmap", run)
