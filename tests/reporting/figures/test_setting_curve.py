from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import make_evaluation, make_run
from matplotlib.axes import Axes

from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.report import figure
from robustbench_cli.runs.run import Run
from robustbench_cli.statistics.intervals import t_interval


def attacked(run: Run, right: int) -> Run:
    """Of 10 images all are right unchanged, and so many from 0.1 on."""
    run.save(make_evaluation([9.0] * right + [0.05] * (10 - right), epsilons="0:0.2:0.1"))
    return run


def lines(panel: Axes) -> dict[str, list[tuple[float, float]]]:
    """By legend entry, in its order."""
    names = [text.get_text() for text in panel.figure.legends[0].get_texts()]
    drawn = [list(zip(x.get_xdata(), x.get_ydata(), strict=True)) for x in panel.get_lines()]
    return dict(zip(names, drawn, strict=True))


def test_a_line_for_each_method_against_the_only_number_that_differs(tmp_path: Path) -> None:
    runs = [
        attacked(make_run(tmp_path, method, label_noise=noise), right)
        for method, rights in (("plain", (6, 4, 2)), ("mixup", (7, 5, 5)))
        for noise, right in zip((0.2, 0.0, 0.4), rights, strict=True)
    ]
    (panel,) = figure("setting-curve", runs).axes
    assert panel.get_xlabel() == "label-noise"
    assert panel.get_ylabel() == "accuracy at ε=0.1 (%)"
    assert lines(panel) == {
        "plain": [(0.0, 40), (0.2, 60), (0.4, 20)],
        "mixup": [(0.0, 50), (0.2, 70), (0.4, 50)],
    }


def test_a_parameter_inside_a_spec_with_its_default(tmp_path: Path) -> None:
    """`info-mixup` has p = 0.95 without saying so, and the line's name lacks p."""
    runs = [
        attacked(make_run(tmp_path, "info-mixup:p=0.5,beta=0.01+pgd-at"), 3),
        attacked(make_run(tmp_path, "info-mixup:beta=0.01+pgd-at"), 5),
        attacked(make_run(tmp_path, "plain"), 9),
    ]
    (panel,) = figure("setting-curve:info-mixup:p", runs).axes
    assert lines(panel) == {"info-mixup:beta=0.01+pgd-at": [(0.5, 30), (0.95, 50)]}


def test_a_width_inside_the_network(tmp_path: Path) -> None:
    runs = [
        attacked(make_run(tmp_path, model=f"wide-resnet:depth=16,width={width}"), width)
        for width in (2, 4)
    ]
    (panel,) = figure("setting-curve:x=wide-resnet:width", runs).axes
    assert lines(panel) == {"plain": [(2, 20), (4, 40)]}
    assert all(float(tick).is_integer() for tick in panel.get_xticks())


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ("clean", [100, 100]),
        # trapezoids over 0, 0.1, 0.2: (1 + 2·r + r) / 4, with r = 0.2 and 0.6
        ("area", [40, 70]),
        # halfway from 1 to 0.2 is at 0.1 · 0.5 / 0.8; 0.6 is never below a half
        ("half", [0.0625, 0.2]),
    ],
)
def test_other_numbers(tmp_path: Path, y: str, expected: list[float]) -> None:
    runs = [attacked(make_run(tmp_path, lr=lr), right) for lr, right in ((0.1, 2), (0.2, 6))]
    (panel,) = figure(f"setting-curve:lr,y={y}", runs).axes
    (line,) = panel.get_lines()
    assert list(line.get_ydata()) == pytest.approx(expected)


def test_bands_are_intervals_over_seeds(tmp_path: Path) -> None:
    runs = [
        attacked(make_run(tmp_path, seed=seed, label_noise=noise), right)
        for noise in (0.0, 0.5)
        for seed, right in enumerate((3, 4, 5))
    ]
    drawing = figure("setting-curve", runs)
    (band,) = drawing.axes[0].collections[1:]  # the first is what is grey
    interval = t_interval([0.3, 0.4, 0.5])
    assert interval is not None
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx([100 * bound for bound in interval])
    assert "95 % t interval over seeds" in drawing.legends[0].get_title().get_text()


def test_what_cannot_be_drawn_says_what_to_type(tmp_path: Path) -> None:
    same = [attacked(make_run(tmp_path), 3)]
    with pytest.raises(UsageError, match=r"--figure setting-curve:label-noise; .* differ: none"):
        figure("setting-curve", same)
    with pytest.raises(UsageError, match="no run has a setting 'dropout:rate'"):
        figure("setting-curve:dropout:rate", same)
    with pytest.raises(UsageError, match="no two values of epochs"):
        figure("setting-curve:epochs", same)
    two = [*same, attacked(make_run(tmp_path, label_noise=0.2, lr=0.5), 3)]
    with pytest.raises(UsageError, match="these runs differ: label-noise, lr"):
        figure("setting-curve", two)
    with pytest.raises(UsageError, match="no two values of lr"):  # the noise differs with it
        figure("setting-curve:lr", two)


def test_clean_accuracy_is_of_all_that_any_attack_saw(tmp_path: Path) -> None:
    """Also where the first attack, by name, saw runs with one value of the setting only."""
    runs = [attacked(make_run(tmp_path, label_noise=noise), 6) for noise in (0.0, 0.4)]
    runs[0].save(make_evaluation([9.0] * 10, "linf-bim", epsilons="0:0.2:0.1"))
    (panel,) = figure("setting-curve:label-noise,y=clean", runs).axes
    assert lines(panel) == {"plain": [(0.0, 100), (0.4, 100)]}
