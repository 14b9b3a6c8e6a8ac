from __future__ import annotations

from pathlib import Path

from fake_runs import make_evaluation, make_run, make_transfer, save_transfer

from robustbench_cli.reporting.report import figure
from robustbench_cli.runs.run import Run


def attacked_in_every_way(folder: Path) -> list[Run]:
    """plain, mixup and sat; images made on plain and mixup were shown to all three."""
    runs = [make_run(folder, method) for method in ("plain", "mixup", "sat")]
    for run in runs:
        run.save(make_evaluation([0.1, 0.2], access="gradient", epsilons="0:0.2:0.1"))
        square = make_evaluation([0.2, 0.3], "linf-square", access="scores", epsilons="0:0.2:0.1")
        run.save(square)
    for source, distances in ((runs[0], [0.15, 0.15]), (runs[1], [0.15, 0.9])):
        for target in runs:
            save_transfer(source, make_transfer(distances, source, target))
    return runs


def test_white_black_and_transferred_in_one_panel(tmp_path: Path) -> None:
    drawing = figure("attacks-compared", attacked_in_every_way(tmp_path))
    assert [panel.get_title() for panel in drawing.axes] == ["plain", "mixup", "sat"]
    assert [text.get_text() for text in drawing.legends[0].get_texts()] == [
        "linf-pgd (white box)",
        "linf-square (black box, scores)",
        "linf-pgd (transferred)",
    ]
    white, black, transferred = drawing.axes[2].get_lines()
    assert list(white.get_ydata()) == [100, 50, 0]
    assert list(black.get_ydata()) == [100, 100, 50]
    # at 0.2 the images of plain break both, those of mixup one of two
    assert list(transferred.get_xdata()) == [0.1, 0.2]
    assert list(transferred.get_ydata()) == [100, 25]


def test_the_white_box_is_no_transfer(tmp_path: Path) -> None:
    """What was made on plain itself does not count for plain: only mixup's images do."""
    panel = figure("attacks-compared", attacked_in_every_way(tmp_path)).axes[0]
    assert list(panel.get_lines()[2].get_ydata()) == [100, 50]


def test_norms_have_panels_of_their_own_and_some_groups_can_be_chosen(tmp_path: Path) -> None:
    runs = attacked_in_every_way(tmp_path)
    runs[0].save(make_evaluation([1.0, 2.0], "l2-pgd", "l2", "0:2:1"))
    drawing = figure("attacks-compared", runs, highlight="plain")
    assert [panel.get_title() for panel in drawing.axes] == ["plain, L2", "plain, L∞"]


def test_a_transfer_attack_is_a_transfer(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save(make_evaluation([0.1, 0.2], "transfer:runs/other", access="none"))
    (name,) = figure("attacks-compared", run).legends[0].get_texts()
    assert name.get_text() == "transfer:runs/other (transferred)"
