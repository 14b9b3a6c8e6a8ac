"""More than eight lines: small panels, or some lines in colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_runs import make_evaluation, make_run
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.report import figure
from robustbench_cli.runs.run import Run

ATTACKS = (("linf-fgsm", "linf"), ("linf-pgd", "linf"), ("l2-pgd", "l2"))


def ladder(folder: Path, count: int, attacks: Sequence[tuple[str, str]] = ATTACKS) -> list[Run]:
    """Method k withstands every attack up to 0.05 k for half of its images; FGSM twice as far."""
    made = []
    for k in range(1, count + 1):
        run = make_run(folder, f"mixup:alpha={k}" if k > 2 else ("plain", "pgd-at")[k - 1])
        for attack, norm in attacks:
            reach = round(0.05 * k * (1 + (attack == "linf-fgsm")), 2)
            run.save(make_evaluation([reach, 9.0], attack, norm))
        made.append(run)
    return made


def haze(panel: Axes) -> LineCollection:
    (found,) = (c for c in panel.collections if isinstance(c, LineCollection))
    return found


def test_a_small_panel_for_each_group_and_a_block_for_each_norm(tmp_path: Path) -> None:
    drawing = figure("decay-curve", ladder(tmp_path, 9))
    titles = [panel.get_title() for panel in drawing.axes]
    assert len(titles) == 18 and set(titles[:9]) == set(titles[9:])
    by_norm = {"L2": drawing.axes[:9], "L∞": drawing.axes[9:]}
    for norm, panels in by_norm.items():
        named = [panel.get_xlabel() for panel in panels if panel.get_xlabel()]
        assert named == [f"ε ({norm}, pixels in [0, 1])"]
    names = [text.get_text() for text in drawing.legends[0].get_texts()]
    assert names == ["l2-pgd", "linf-fgsm", "linf-pgd", "the others", "chance"]
    assert "grey: the others under l2-pgd and linf-pgd, which find most" in (
        drawing.legends[0].get_title().get_text()
    )


def test_the_axes_hold_the_curve_and_grey_holds_all_others(tmp_path: Path) -> None:
    drawing = figure("decay-curve", ladder(tmp_path, 9, ATTACKS[:2]))
    panel = next(panel for panel in drawing.axes if panel.get_title() == "pgd-at")
    fgsm, pgd, _chance = panel.get_lines()
    assert list(fgsm.get_ydata()) == [100, 100, 50, 50, 50, 50]  # reaches 0.2
    assert list(pgd.get_ydata()) == [100, 50, 50, 50, 50, 50]  # reaches 0.1
    segments = haze(panel).get_segments()
    assert len(segments) == 9
    fallen = sorted(float(segment[:, 1].sum()) for segment in segments)
    # PGD's curves: k = 1, 2 fall at 0.1; 3, 4 at 0.2; 5, 6 at 0.3; 7, 8 at 0.4; 9 at 0.5
    assert fallen == [350, 350, 400, 400, 450, 450, 500, 500, 550]


def test_small_panels_share_their_scale_and_are_legible(tmp_path: Path) -> None:
    drawing = figure("decay-curve", ladder(tmp_path, 13, ATTACKS[1:]))
    drawing.draw_without_rendering()
    for half in (drawing.axes[:13], drawing.axes[13:]):
        assert len({panel.get_xlim() for panel in half}) == 1
        assert len({panel.get_ylim() for panel in half}) == 1
    (legend,) = drawing.legends
    box, edge = legend.get_window_extent(), drawing.bbox
    assert edge.x0 <= box.x0 and box.x1 <= edge.x1 and edge.y0 <= box.y0
    for panel in drawing.axes:
        assert panel.get_tightbbox().y0 >= box.y1
        assert panel.get_window_extent().height > 70
        assert all(tick.get_fontsize() >= 8 for tick in panel.get_xticklabels())


def test_highlighted_lines_are_in_colour_and_the_rest_is_grey(tmp_path: Path) -> None:
    runs = ladder(tmp_path, 9, ATTACKS[:2])
    drawing = figure("decay-curve", runs, highlight=["pgd-at", "mixup:alpha=3"])
    assert len(drawing.axes) == 2
    for panel in drawing.axes:
        assert len(panel.get_lines()) == 2 + 1  # and chance
        assert len(haze(panel).get_segments()) == 7
    names = [text.get_text() for text in drawing.legends[0].get_texts()]
    assert names == ["pgd-at", "mixup:alpha=3", "7 others", "chance"]


def test_a_method_stands_for_its_family(tmp_path: Path) -> None:
    drawing = figure("decay-curve", ladder(tmp_path, 4, ATTACKS[:1]), highlight="mixup")
    names = [text.get_text() for text in drawing.legends[0].get_texts()]
    assert names == ["mixup:alpha=3", "mixup:alpha=4", "2 others", "chance"]


def test_a_highlight_that_is_no_line(tmp_path: Path) -> None:
    runs = ladder(tmp_path, 2, ATTACKS[:1])
    with pytest.raises(UsageError, match="--highlight plian: no such line; did you mean 'plain'"):
        figure("decay-curve", runs, highlight="plian")
    with pytest.raises(UsageError, match="no such line; there are: plain, pgd-at"):
        figure("decay-curve", runs, highlight="zzz")
