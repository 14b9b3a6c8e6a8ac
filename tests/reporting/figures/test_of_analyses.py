"""Pictures of analyses: each is drawn from the columns that it declares, and from no others."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest
from fake_runs import make_run
from tiny import TINY, train_job

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.jobs import AnalyseJob, Where, make_question
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.figures._blocks import stacked
from robustbench_cli.reporting.report import figure
from robustbench_cli.runs.analysed import Analysed
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build, names

SMALL = {
    "adversarials": "images=2",
    "church-window": "images=2,points=5",
    "corruptions": "images=made,only=noise,samples=20",
    "decision-regions": "points=9",
    "embedding": "samples=20",
    "in-between": "pairs=4,points=3",
    "logit-line": "images=2,points=5",
    "margin": "pairs=20,points=9",
    "per-class": "",
    "representation-spectrum": "",
    "subspace-dimension": "images=2,most=2,random=2",
}
DRAWN = [name for name in names("analyses") if name in names("figures")]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Analysed]:
    """One of each analysis, of a bottleneck with Gaussians of its classes."""
    job = train_job(tmp_path_factory.mktemp("runs"), method="info-mixup:size=3", epochs=3)
    run, found = job.run(), {}
    for name in DRAWN:
        question = make_question(f"{name}:{SMALL[name]}".rstrip(":"), TINY["data"])
        found[name] = Analysed.load(AnalyseJob(run, question, Where(run.parent)).run())
    return found


def kept(folder: Path, analysed: Analysed) -> Run:
    """A run that holds nothing but this."""
    run = make_run(folder, "info-mixup", data="spirals")
    analysed.save(run.path / "analyses")
    return Run.open(run.path)


def test_every_analysis_has_a_picture() -> None:
    assert list(names("analyses")) == DRAWN == sorted(SMALL)


@pytest.mark.parametrize("name", DRAWN)
def test_it_draws_from_what_it_declares(
    name: str, stored: dict[str, Analysed], tmp_path: Path
) -> None:
    whole, wanted = stored[name], build(Figure, name)
    assert wanted.needs
    alone = replace(whole, table=whole.table[list(wanted.needs)])
    alone = replace(
        alone,
        record={
            **whole.record,
            "parameters": {key: whole.record["parameters"][key] for key in wanted.settings},
        },
    )
    drawing = figure(name, kept(tmp_path, alone))
    assert drawing.axes
    drawing.draw_without_rendering()


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_missing_is_named_in_one_line(
    name: str, stored: dict[str, Analysed], tmp_path: Path
) -> None:
    whole, wanted = stored[name], build(Figure, name)
    for number, column in enumerate(wanted.needs):
        short = replace(whole, table=whole.table.drop(columns=column))
        with pytest.raises(RunError) as refusal:
            figure(name, kept(tmp_path / str(number), short))
        assert f"has no column {column}; type: robustmix analyse" in str(refusal.value)
        assert str(refusal.value).endswith("--force") and "\n" not in str(refusal.value)
    for key in wanted.settings:
        less = {k: v for k, v in whole.record["parameters"].items() if k != key}
        short = replace(whole, record={**whole.record, "parameters": less})
        with pytest.raises(RunError, match=f"has no parameter {key}; type: "):
            figure(name, kept(tmp_path / key, short))


def test_the_embedding_shows_what_was_asked_for(
    stored: dict[str, Analysed], tmp_path: Path
) -> None:
    run = kept(tmp_path, stored["embedding"])
    table = stored["embedding"].table
    images = table[table["kind"] == "image"]
    right = int((images["prediction"] == images["label"]).sum())
    clouds, dots, crosses = figure("embedding:show=right", run).axes[0].collections
    assert (len(clouds.get_offsets()), len(dots.get_offsets())) == (40, right)  # type: ignore[arg-type]
    assert not len(crosses.get_offsets())  # type: ignore[arg-type]
    bare = figure("embedding:show=wrong,gaussians=false", run).axes[0]
    assert [len(c.get_offsets()) for c in bare.collections] == [0, 0, 40 - right]  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no show=rigth; expected all, right, wrong"):
        figure("embedding:show=rigth", run)


def test_the_spectrum_is_a_line_for_each_layer(stored: dict[str, Analysed], tmp_path: Path) -> None:
    run = kept(tmp_path, stored["representation-spectrum"])
    panels = figure("representation-spectrum", run).axes
    assert [panel.get_title() for panel in panels] == ["fc2", "head", "head.decode"]
    for panel in panels:
        carried, level = panel.get_lines()
        assert list(level.get_ydata()) == [95, 95]
        heights = list(carried.get_ydata())
        assert heights == sorted(heights) and heights[-1] == pytest.approx(100)
    narrow = panels[2].xaxis
    assert [label.get_text() for label in narrow.get_ticklabels()] == ["1", "2", "3"]
    assert not any(label.get_text() for label in narrow.get_ticklabels(minor=True))
    values = figure("representation-spectrum:show=values", run).axes[0].get_lines()[0]
    assert max(values.get_ydata()) == 1


def test_boundaries_are_drawn_where_classes_are_equally_likely(
    stored: dict[str, Analysed], tmp_path: Path
) -> None:
    whole = stored["decision-regions"]
    table = whole.table.copy()
    table["probability"] = table["x"].where(table["class"] == 1, 1 - table["x"])
    run = kept(tmp_path, replace(whole, table=table))
    (panel,) = figure("decision-regions:points=false", run).axes
    for lines in panel.collections:
        assert all(abs(x - 0.5) < 1e-6 for x in lines.get_paths()[0].vertices[:, 0])
    assert len(panel.collections) == 2
    points = figure("decision-regions", run).axes[0].collections[-1]
    assert len(points.get_offsets()) == (table["label"] >= 0).sum() / 2  # type: ignore[arg-type]


def test_margins_are_counted_over_all_pairs(stored: dict[str, Analysed], tmp_path: Path) -> None:
    whole = stored["margin"]
    cases = ["defined"] * 10 + ["crossed"] * 4 + ["unsure end"] * 5 + ["no crossing"]
    margins = [0.1] * 10 + [0.0] * 4 + [float("nan")] * 6
    table = whole.table.assign(case=cases, margin=margins)
    left, right = figure("margin", kept(tmp_path, replace(whole, table=table))).axes
    assert [patch.get_width() for patch in right.patches] == [50, 20, 25, 5]  # type: ignore[attr-defined]
    _, _, median, mean = left.get_lines()
    assert median.get_xdata()[0] == 0.1 and mean.get_xdata()[0] == pytest.approx(1 / 14)
    nothing = table.assign(case="unsure end", margin=float("nan"))
    drawn = figure("margin", kept(tmp_path / "none", replace(whole, table=nothing)))
    assert len(drawn.axes[0].get_lines()) == 1


def test_titles_and_names_of_confusion_matrices_have_room(
    stored: dict[str, Analysed], tmp_path: Path
) -> None:
    whole = stored["per-class"]
    attacks = [f"linf-pgd:target=random,steps={n},step-size=2/255,restarts=10" for n in range(6)]
    table = pd.concat([whole.table.assign(attack=a, eps="8/255") for a in attacks])
    run = kept(tmp_path, replace(whole, table=table))
    names = ["T-shirt/top", "Ankle boot"]
    run = run.update(data=run.record["data"] | {"classes": names})
    drawn = figure("per-class", run)
    drawn.draw_without_rendering()
    boxes = [panel.get_tightbbox() for panel in drawn.axes]
    assert len(boxes) == 6 and min(box.y0 for box in boxes) >= 0
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


@pytest.mark.parametrize(("count", "across"), [(1, 1), (2, 1), (5, 2), (30, 4)])
def test_many_blocks_stand_side_by_side(count: int, across: int) -> None:
    canvas, parts = stacked([1] * count, 2, 3.0)
    width, height = canvas.get_size_inches()
    assert len(parts) == count and width == pytest.approx(across * 6.3)
    assert height <= 2 * width
