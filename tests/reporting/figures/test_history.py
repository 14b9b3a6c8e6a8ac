from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from fake_runs import make_run

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.reporting.report import figure
from robustbench_cli.runs.run import Run


def trained(run: Run, **columns: list[float]) -> Run:
    epochs = len(next(iter(columns.values())))
    table = pd.DataFrame({"epoch": range(1, epochs + 1), **columns, "seconds": 0.5})
    table.to_csv(run.path / "history.csv", index=False)
    return run


def test_a_panel_for_each_column_that_is_there(tmp_path: Path) -> None:
    runs = [
        trained(make_run(tmp_path, "plain"), loss=[2, 1, 0.5], validation=[0.5, 0.7, 0.8]),
        trained(
            make_run(tmp_path, "sat"),
            **{"loss": [3, 2], "validation": [0.4, 0.6], "validation_loss": [2.5, 1.5]},
            robust=[0.1, 0.2],
        ),
    ]
    loss, held_out, validation, robust = figure("history", runs).axes
    assert [panel.get_ylabel() for panel in (loss, held_out, validation, robust)] == [
        "training loss",
        "validation loss",
        "validation accuracy (%)",
        "robust validation accuracy (%)",
    ]
    assert [list(line.get_ydata()) for line in loss.get_lines()] == [[2, 1, 0.5], [3, 2]]
    assert [list(line.get_ydata()) for line in held_out.get_lines()] == [[2.5, 1.5]]
    assert [list(line.get_ydata()) for line in robust.get_lines()] == [[10, 20]]
    assert list(validation.get_lines()[0].get_xdata()) == [1, 2, 3]
    assert {panel.get_xlabel() for panel in (loss, validation, robust)} == {"epoch"}


def test_seeds_are_averaged_epoch_by_epoch(tmp_path: Path) -> None:
    runs = [trained(make_run(tmp_path, seed=s), loss=[2.0 + s, 1.0]) for s in (0, 1)]
    drawing = figure("history:show=loss", runs)
    mean, *each = drawing.axes[0].get_lines()
    assert list(mean.get_ydata()) == [2.5, 1]
    assert [list(line.get_ydata()) for line in each] == [[2, 1], [3, 1]]
    assert "two runs" in drawing.legends[0].get_title().get_text()


def test_what_a_method_reports(tmp_path: Path) -> None:
    run = trained(make_run(tmp_path), loss=[2, 1], edge=[0.1, 0.05])
    (panel,) = figure("history:show=edge", run).axes
    assert list(panel.get_lines()[0].get_ydata()) == [0.1, 0.05]
    with pytest.raises(UsageError, match="no column 'egde'; there are: loss, edge, seconds"):
        figure("history:show=egde", run)


def test_no_history_at_all(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no history.csv in these runs; train one: robustmix train"):
        figure("history", make_run(tmp_path))
