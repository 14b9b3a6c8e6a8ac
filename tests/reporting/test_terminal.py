"""Decay curves as text: read back from the letters, they are the numbers of the table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from fake_runs import make_evaluation, make_run, make_study

from robustbench_cli.reporting.report import drawn_as_text
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.runs.run import Run


def panel(text: str, number: int = 0) -> list[str]:
    """What stands right of the accuracies, from 100 down to 0."""
    blocks = text.split("\n\n")[number].splitlines()
    return [re.split("[┤│+|]", line, maxsplit=1)[1] for line in blocks[2:13]]


@pytest.mark.parametrize("unicode", [True, False])
def test_every_letter_stands_at_the_accuracy_of_its_curve(tmp_path: Path, unicode: bool) -> None:
    runs = make_study(tmp_path, ["plain", "mixup", "pgd-at"], 1, ["linf-fgsm"], n=50)
    rows = panel(drawn_as_text(runs, 86, unicode=unicode))
    found = 0
    for letter, curve in zip("ABC", Selection.of(runs).curves, strict=True):
        x = np.array([float(eps) for eps in curve.epsilons])
        y = np.array([each.value for each in curve.accuracy])
        for number, row in enumerate(rows):
            for match in re.finditer(letter, row):
                expected = np.interp((match.start() + 0.5) / 80 * x[-1], x, y)
                assert abs(1 - number / 10 - expected) < 0.11, (letter, number, match.start())
                found += 1
    assert found >= 9, "each curve's letter, some times along its line"


def test_a_terminal_of_any_width_holds_it(tmp_path: Path) -> None:
    runs = make_study(tmp_path, ["plain", "mixup"], 1, ["linf-fgsm", "l2-boundary"], n=50)
    for width in (36, 47, 100):
        text = drawn_as_text(runs, width)
        assert max(map(len, text.splitlines())) <= width
        assert text.endswith("\n\nA plain\nB mixup")
        assert text.count("A") > 2 and text.count("B") > 2
        assert "ε (L2, pixels in [0, 1])" in text and "accuracy in %" in text


def test_an_old_terminal_gets_ascii_and_colours_change_no_letter(tmp_path: Path) -> None:
    runs = make_study(tmp_path, ["plain", "mixup"], 1, ["linf-fgsm"], n=50)
    old = drawn_as_text(runs, 60, unicode=False)
    assert old.isascii() and "eps (Linf, pixels in [0, 1])" in old
    coloured = drawn_as_text(runs, 60, colour=True)
    assert re.sub("\033\\[[0-9]+m", "", coloured) == drawn_as_text(runs, 60) != coloured


def test_eight_lines_at_most_and_others_by_name(tmp_path: Path) -> None:
    runs: list[Run] = []
    for number in range(10):
        runs.append(make_run(tmp_path, f"mixup:alpha={number + 1}"))
        runs[-1].save(make_evaluation([0.1, 0.2, 0.3]))
    text = drawn_as_text(runs, 80)
    assert text.endswith("8 of 10 lines; others by --highlight NAME")
    chosen = drawn_as_text(runs, 80, highlight="mixup:alpha=10")
    assert chosen.endswith("\nA mixup:alpha=10\n1 of 10 lines; others by --highlight NAME")


def test_numbers_below_the_axis_stand_below_their_marks(tmp_path: Path) -> None:
    runs = make_study(tmp_path, ["plain"], 1, ["linf-fgsm"], "0:16/255:1/255", n=50)
    axis, words = drawn_as_text(runs, 86).splitlines()[13:15]
    marks = [i for i, letter in enumerate(axis) if letter == "┬"]
    numbers = list(re.finditer(r"\S+", words))
    assert [number.group() for number in numbers] == ["0", "4/255", "8/255", "12/255", "16/255"]
    inner = zip(marks[:-1], numbers, strict=False)
    assert all(number.start() <= mark <= number.end() for mark, number in inner)
    assert numbers[-1].end() == len(axis) == 86
