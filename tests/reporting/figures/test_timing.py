from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from fake_runs import make_evaluation, make_run

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.reporting.numbers.timing import collect_timing, relative
from robustbench_cli.reporting.report import figure
from robustbench_cli.runs.run import Run

VERSIONS = {"torch": "2.6", "python": "3.11"}


def timed(
    folder: Path, method: str, seed: int, epoch: float, device: str = "cpu", torch: str = "2.6"
) -> Run:
    """Epochs of `epoch` seconds on average; 2 images attacked in a quarter of that, 30 passes."""
    record = {"device": device, "versions": {**VERSIONS, "torch": torch}}
    run = make_run(folder, method, seed).update(**record)
    seconds = [0.5 * epoch, 1.5 * epoch]
    table = pd.DataFrame({"epoch": [1, 2], "loss": [1, 0.5], "seconds": seconds})
    table.to_csv(run.path / "history.csv", index=False)
    cost = {"forwards": 20.0, "backwards": 10.0, "seconds": epoch / 4}
    run.save(make_evaluation([0.1, 0.2], cost=cost, **record))
    return run


def widths(panel) -> list[float]:  # type: ignore[no-untyped-def]
    return [bar.get_width() for bar in panel.patches]


def test_seconds_and_passes_by_method(tmp_path: Path) -> None:
    runs = [timed(tmp_path, "plain", 0, 1), timed(tmp_path, "plain", 1, 3)]
    runs.append(timed(tmp_path, "sat", 0, 8))
    drawing = figure("timing", runs)
    assert [(panel.get_title(), panel.get_xlabel()) for panel in drawing.axes] == [
        ("training", "seconds per epoch"),
        ("linf-pgd, 6 ε", "milliseconds per image"),
        ("linf-pgd, 6 ε", "passes per image"),
    ]
    assert [widths(panel) for panel in drawing.axes] == [[2, 8], [250, 1000], [30, 30]]


def test_seconds_of_two_machines_never_meet(tmp_path: Path) -> None:
    """The device is the same; the version of torch makes it another machine."""
    runs = [timed(tmp_path, "plain", 0, 1), timed(tmp_path, "plain", 1, 3, torch="2.7")]
    drawing = figure("timing", runs)
    assert widths(drawing.axes[0]) == [1, 3]
    names = [text.get_text() for text in drawing.legends[0].get_texts()]
    assert names == ["cpu, torch 2.6", "cpu, torch 2.7"]
    said = drawing.legends[0].get_title().get_text()
    assert "seconds of 2 machines: compare within one colour" in said


def test_multiples_are_paired_by_machine(tmp_path: Path) -> None:
    runs = [
        timed(tmp_path, "plain", 0, 1),
        timed(tmp_path, "sat", 0, 8),
        timed(tmp_path, "plain", 1, 0.5, device="gpu"),
        timed(tmp_path, "sat", 1, 1, device="gpu"),
        timed(tmp_path, "mixup", 0, 1, device="another"),
    ]
    of_training = [t for t in relative(collect_timing(runs), "plain") if t.of == "training"]
    assert [(t.label, t.machine, t.value) for t in of_training] == [
        ("plain", "cpu", 1),
        ("sat", "cpu", 8),
        ("plain", "gpu", 1),
        ("sat", "gpu", 2),
    ]
    said = figure("timing:against=plain", runs).legends[0].get_title().get_text()
    assert "left out where plain has no run on the machine: mixup" in said.replace("\n", "")


def test_no_times(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no times in these runs; train one: robustmix train"):
        figure("timing", make_run(tmp_path))
    with pytest.raises(UsageError, match="no group 'pgd-at'; there are: plain"):
        figure("timing:against=pgd-at", timed(tmp_path, "plain", 3, 1))
