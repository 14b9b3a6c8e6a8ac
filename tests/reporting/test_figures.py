from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fake_runs import ATTACKS, make_evaluation, make_run, make_study, make_transfer, save_transfer
from matplotlib.figure import Figure
from PIL import Image

from robustbench_cli import spec
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.reporting.few_colours import VISIBLE
from robustbench_cli.reporting.figure import DPI
from robustbench_cli.reporting.report import figure, save_figure
from robustbench_cli.reporting.writing import write_report
from robustbench_cli.runs.run import Run


def with_transfers(
    folder: Path, methods: tuple[str, ...] = ("plain", "mixup"), sources: int | None = None
) -> list[Run]:
    """All of them transferred from the first `sources` of them, or from each."""
    runs = [make_run(folder, method) for method in methods]
    for source in runs[:sources]:
        source.save(make_evaluation([0.05, 0.15, 0.25], epsilons="0:0.3:0.1"))
        for target in runs:
            save_transfer(source, make_transfer([0.15, 0.15, 0.9], source, target))
    return runs


def test_a_panel_for_each_attack_and_a_line_for_each_group(tmp_path: Path) -> None:
    drawing = figure("decay-curve", make_study(tmp_path, seeds=3, n=50))
    panels = drawing.axes
    assert [panel.get_title() for panel in panels] == [
        "l2-boundary",
        "linf-fgsm",
        "linf-pgd:steps=40",
    ]
    assert panels[0].get_xlabel() == "ε (L2, pixels in [0, 1])"
    assert panels[1].get_xlabel() == "ε (L∞, pixels in [0, 1])"
    assert panels[0].get_ylabel() == "accuracy (%)"
    for panel in panels:
        assert len(panel.get_lines()) == 4 + 1  # and chance
        assert len(panel.collections) == 4  # bands
        assert panel.get_ylim() == (-2, 102)
    (legend,) = drawing.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["plain", "mixup", "pgd-at", "sat", "chance"]
    assert legend.get_title().get_text().startswith("bands: 95 % t interval over seeds")


def test_the_legend_says_what_a_band_is(tmp_path: Path) -> None:
    one = make_study(tmp_path / "one", ["plain"], 1, ["linf-fgsm"], n=50)
    two = make_study(tmp_path / "two", ["mixup"], 2, ["linf-fgsm"], n=50)
    drawing = figure("decay-curve", [*one, *two])
    said = drawing.legends[0].get_title().get_text()
    assert "95 % Wilson interval of one run, test sampling only" in said
    assert "two runs: mean and both points, no interval" in said
    assert len(drawing.axes[0].collections) == 1
    names = [text.get_text() for text in drawing.legends[0].get_texts()]
    assert names == ["plain (1 run)", "mixup (2 runs)", "chance"]


def test_ticks_in_255ths(tmp_path: Path) -> None:
    runs = make_study(tmp_path, ["plain"], 1, ["linf-fgsm"], "0:16/255:1/255", n=50)
    ticks = figure("decay-curve", runs).axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["0", "4/255", "8/255", "12/255", "16/255"]


def test_parameters(tmp_path: Path) -> None:
    runs = make_study(tmp_path, ["plain"], 1, ["linf-fgsm"], n=50)
    panel = figure("decay-curve:bands=false,chance=false", runs, epsilons="0.1,0.2").axes[0]
    assert not panel.collections
    (line,) = panel.get_lines()
    assert list(line.get_xdata()) == [0, 0.1, 0.2]


@pytest.mark.parametrize("attacks", [1, 3])
@pytest.mark.parametrize("count", [1, pytest.param(4, marks=pytest.mark.slow), 8])
def test_nothing_is_clipped_or_small(tmp_path: Path, count: int, attacks: int) -> None:
    methods = [f"mixup:alpha=0.{i}+pgd-at:eps=8/255" for i in range(2, count + 1)]
    methods.append("manifold-mixup:alpha=0.4,layers=3+pgd-at:eps=8/255,steps=10,clean=0.5")
    runs = make_study(tmp_path, methods, 1, list(ATTACKS)[:attacks], n=50)
    drawing = figure("decay-curve", runs)
    drawing.draw_without_rendering()
    (legend,) = drawing.legends
    box, edge = legend.get_window_extent(), drawing.bbox
    assert edge.x0 <= box.x0 and box.x1 <= edge.x1 and edge.y0 <= box.y0
    for panel in drawing.axes:
        assert panel.get_tightbbox().y0 >= box.y1  # the legend is below
        assert panel.get_window_extent().height > 150
        assert all(tick.get_fontsize() >= 8 for tick in panel.get_xticklabels())
    looks = {(h.get_color(), h.get_linestyle(), h.get_marker()) for h in legend.get_lines()}
    assert len(looks) == count + 1


def test_transfers_as_a_heat_map(tmp_path: Path) -> None:
    drawing = figure("transfer-matrix", with_transfers(tmp_path))
    panel, bar = drawing.axes
    assert [text.get_text() for text in panel.texts] == ["33.3*", "33.3", "33.3", "33.3*"]
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["plain", "mixup"]
    assert len(panel.patches) == 2  # the white boxes
    assert panel.get_title() == "linf-pgd, L∞, ε=0.2"
    assert bar.get_ylabel() == "accuracy of the target (%)"


@pytest.fixture(scope="module")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    names = [f"mixup-inference:keep=0.{i},draws=5+iat:eps=4/255,steps={i}" for i in range(1, 7)]
    return with_transfers(tmp_path_factory.mktemp("long"), ("plain", *names), sources=2)


@pytest.mark.parametrize("sources", [1, 2])
def test_no_text_of_a_heat_map_is_cut_off(long_names: list[Run], sources: int) -> None:
    drawing = figure("transfer-matrix", long_names[:sources])
    drawing.draw_without_rendering()
    width, height = drawing.bbox.size
    for axes in drawing.axes:
        box = axes.get_tightbbox()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height


def test_long_names_below_a_heat_map_do_not_run_into_each_other(tmp_path: Path) -> None:
    names = [f"noise:scale=0.{i}+mixup:per-sample=true+pgd-at:steps={i}" for i in (2, 3, 4)]
    drawing = figure("transfer-matrix", with_transfers(tmp_path, ("plain", *names)))
    drawing.draw_without_rendering()
    boxes = [tick.get_window_extent() for tick in drawing.axes[0].get_xticklabels()]
    assert not any(a.overlaps(b) for a, b in pairwise(boxes))


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_picture_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    runs = make_study(tmp_path, ["plain"], 1, ["linf-fgsm"], n=50)
    for name in ("a", "b"):
        save_figure(figure("decay-curve", runs), tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_an_unknown_suffix_and_an_unknown_figure(tmp_path: Path) -> None:
    runs = with_transfers(tmp_path)
    with pytest.raises(UsageError, match=r"x.bmp: no picture format '.bmp'; expected one of .png"):
        save_figure(figure("decay-curve", runs), Path("x.bmp"))
    with pytest.raises(UsageError, match="did you mean 'decay-curve'"):
        figure("decay-curves", runs)
    with pytest.raises(RunError, match="robustmix sweep-epsilon"):
        figure("decay-curve", make_run(tmp_path, "sat"))


def test_a_png_is_small_and_looks_like_all_of_its_colours(tmp_path: Path) -> None:
    drawing = figure("decay-curve", make_study(tmp_path / "study", seeds=1, n=50))
    drawing.savefig(whole := tmp_path / "whole.png", dpi=DPI)
    save_figure(drawing, small := tmp_path / "small.png")
    assert small.stat().st_size < 0.6 * whole.stat().st_size
    off = np.abs(pixels(small) - pixels(whole)).max(2)
    assert off.mean() < 2 and (off > VISIBLE).mean() < 0.02


def test_a_png_of_a_photograph_keeps_its_colours(tmp_path: Path) -> None:
    drawing = Figure(figsize=(1, 1))
    drawing.figimage(np.random.default_rng(0).random((DPI, DPI, 3)), resize=False)
    drawing.savefig(whole := tmp_path / "whole.png", dpi=DPI)
    save_figure(drawing, saved := tmp_path / "saved.png")
    assert np.array_equal(pixels(saved), pixels(whole))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), int)


def test_a_notebook_shows_the_picture(tmp_path: Path) -> None:
    drawing = figure("decay-curve", with_transfers(tmp_path))
    assert drawing._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_every_figure_explains_itself() -> None:
    assert {"decay-curve", "transfer-matrix"} <= set(spec.names("figures"))
    for name in spec.names("figures"):
        assert spec.describe("figures", name).endswith(".") or name == "transfer-matrix"


def test_a_report_is_a_folder(tmp_path: Path) -> None:
    shown, written = write_report(with_transfers(tmp_path / "runs"), tmp_path / "report")
    tables = [".txt", ".md", ".csv", ".json", ".tex"]
    expected = [f"{stem}{s}" for stem in ("table", "transfers") for s in tables]
    expected += [f"{n}{s}" for n in ("decay-curve", "transfer-matrix") for s in (".png", ".svg")]
    expected += ["report.html"]
    assert [path.name for path in written] == expected
    assert sorted(p.name for p in (tmp_path / "report").iterdir()) == sorted(expected)
    assert (tmp_path / "report" / "table.txt").read_text("utf-8") == f"{shown}\n"


@pytest.mark.usefixtures("unsaved_pictures")
def test_a_report_has_what_the_runs_are_about(tmp_path: Path) -> None:
    runs = []
    for noise in (0.0, 0.2):
        run = make_run(tmp_path / "runs", label_noise=noise)
        run.save(make_evaluation([0.05, 0.15, 0.25]))
        certificate = make_evaluation([0.05, 0.15, 0.25], "certify", "l2", view="smoothed")
        run.save(certificate)
        runs.append(run)
    _, written = write_report(runs, tmp_path / "report", figures=["scatter:eps=0.1"])
    pictures = [path.stem for path in written if path.suffix == ".png"]
    assert pictures == ["decay-curve", "setting-curve", "certified", "scatter-eps=0.1"]


def test_a_report_names_a_wrong_figure_before_it_writes(tmp_path: Path) -> None:
    runs = make_study(tmp_path / "runs", ["plain"], 1, ["linf-fgsm"], n=50)
    with pytest.raises(UsageError, match="no figure named 'scattr'; did you mean 'scatter'"):
        write_report(runs, tmp_path / "report", figures=["scattr"])
    assert not (tmp_path / "report").exists()


@pytest.mark.usefixtures("unsaved_pictures")
def test_a_choice_of_attacks_need_not_fit_the_transfers(tmp_path: Path) -> None:
    runs = with_transfers(tmp_path)
    for run in runs:
        run.save(make_evaluation([0.05, 0.15, 0.25], "linf-fgsm"))
    _, written = write_report(runs, tmp_path / "report", attack="linf-fgsm", epsilons="0.3")
    assert tmp_path / "report" / "transfers.md" in written


@pytest.mark.usefixtures("unsaved_pictures")
def test_without_transfers_there_is_no_matrix(tmp_path: Path) -> None:
    runs = make_study(tmp_path / "runs", ["plain"], 1, ["linf-fgsm"], n=50)
    _, written = write_report(runs, tmp_path / "report")
    assert [path.stem for path in written if path.suffix == ".png"] == ["decay-curve"]
