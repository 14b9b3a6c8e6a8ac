"""The table of single evaluations: a row for each attack and epsilon, nothing averaged."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from robustbench_cli.errors import RunError
from robustbench_cli.reporting.formats.document import FORMAT, rounded, union_document
from robustbench_cli.reporting.formats.table import Section, Table
from robustbench_cli.reporting.numbers.frame import COST, collect
from robustbench_cli.reporting.numbers.unions import Unions, collect_unions, lacking
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run
from robustbench_cli.trust.examine import apart, entries, examine_runs, level_of, warnings

from .cells import NONE, NORMS, digits_for, units, view_text
from .members import member_sections
from .notes import published, recorded
from .targets import EXPLAINED
from .unions import UNIONS_EXPLAINED, union_sections

_HEADER = ("attack", "eps", "accuracy", "95 % interval", "median distance")
_POINT = ("eps", "eps_value", "accuracy", "low", "high", "n", "broken", "median_distance")
_TARGET = ("at_target", "at_target_low", "at_target_high", "aimed")
_ROUNDED = ("accuracy", "low", "high", "median_distance", *_TARGET[:3])
_ABOUT = ("run", "data", "model", "method", "attack", "norm", "view")


def points_table(files: Sequence[Path], unions: Unions = ()) -> Table:
    """Accuracy and Wilson interval at each epsilon, for records that :meth:`Run.save` wrote.

    `unions`: over norms, of the same records, in a section of their own.

    Raises:
        RunError: no record, or a damaged one.
        UsageError: a union that makes no sense.
    """
    if not files:
        raise RunError("no evaluation to show; type: robustmix attack RUN")
    runs = {path.parent.resolve(): Run.of(path) for path in files}
    frame = collect(list(runs.values()), by="run", files=files)
    found = examine_runs(runs.values(), frame)
    checked, others = entries(found, runs.values()), apart(found, runs.values())
    subjects = zip(frame["run"], frame["defence"], frame["view"], strict=True)
    frame["checks"] = [level_of(found, [run], *where) for run, *where in subjects]
    joined = collect_unions(frame, _by_run(files), unions)
    aims = bool(frame["aimed"].any())
    parts = frame.groupby(["label", "norm", "view"], sort=False)
    return Table(
        caption=("Accuracy in % of every image; one misclassified unchanged counts as broken.",),
        sections=(
            *(_section(str(key[0]), part) for key, part in parts),
            *union_sections(joined, "run"),
            *member_sections(files),
        ),
        footer=(
            *([EXPLAINED] if aims else ()),
            *(UNIONS_EXPLAINED if joined else ()),
            f"interval: Wilson, test sampling only; eps and distance: {units(frame['norm'])}.",
            *_costs(frame),
            checked["verdict"],
            *([f"Apart: {others}"] if others else ()),
        ),
        frame=frame[[*_ABOUT, *_POINT, *(_TARGET if aims else ()), *COST, "checks"]],
        document={
            "format": FORMAT,
            "curves": _curves(frame),
            **union_document(joined),
            **checked,
        },
        notes=[
            *warnings(found),
            *recorded(frame),
            *published(list(runs.values())),
            *lacking(frame, unions, joined),
        ],
    )


def _by_run(files: Sequence[Path]) -> dict[str, list[Evaluation]]:
    found: dict[str, list[Evaluation]] = {}
    for path in files:
        found.setdefault(Run.of(path).name, []).append(Evaluation.load(path))
    return found


def _section(run: str, rows: pd.DataFrame) -> Section:
    """One run, norm and view; the clean row stands once where all attacks agree on it."""
    digits, aims = digits_for(int(rows["n"].min())), bool(rows["aimed"].any())
    lines = []
    for point in rows.to_dict("records"):
        clean, distance = point["eps_value"] == 0, point["median_distance"]
        low, high = (f"{100 * point[key]:.{digits}f}" for key in ("low", "high"))
        cells = ("(clean)" if clean else point["attack"], point["eps"])
        numbers = (f"{100 * point['accuracy']:.{digits}f}", f"{low} – {high}")
        target = (_at_target(point, digits),) if aims else ()
        far = NONE if pd.isna(distance) else f"{distance:.4f}"
        lines.append((*cells, *numbers, *target, far))
    counts = " to ".join(dict.fromkeys(str(n) for n in (rows["n"].min(), rows["n"].max())))
    norm, view = rows["norm"].iloc[0], rows["view"].iloc[0]
    images = "validation images" if rows["split"].iloc[0] == "validation" else "images"
    title = f"{run}, {NORMS.get(norm, norm)}, {counts} {images}, {view_text(view)}"
    header = (*_HEADER[:4], *(["at target"] if aims else ()), *_HEADER[4:])
    return Section(title, header, tuple(dict.fromkeys(lines)))


def _at_target(point: dict[Hashable, Any], digits: int) -> str:
    """Nothing for unchanged images, whose row is that of every attack."""
    if not point["aimed"] or not point["eps_value"]:
        return NONE
    rate, low, high = (f"{100 * point[key]:.{digits}f}" for key in _TARGET[:3])
    return f"{rate} [{low}–{high}]"


def _costs(frame: pd.DataFrame) -> list[str]:
    """What an image cost each attack, over all epsilons; means over the runs."""
    whole = frame.drop_duplicates(["run", "attack", "view"]).dropna(subset=list(COST))
    found = []
    for attack, rows in whole.groupby("attack", sort=False):
        forwards, backwards = (f"{rows[key].mean():.4g}" for key in ("forwards", "backwards"))
        passes = f"{forwards} forwards, {backwards} backwards" if backwards != "0" else forwards
        queries = " queries" if backwards == "0" else ""
        each = 1000 * (rows["seconds"] / rows["n"]).mean()
        time = f"{each:.3g} ms" if each < 999.5 else f"{each / 1000:.3g} s"
        found.append(f"{attack} {passes}{queries}, {time}")
    return [f"Cost per image: {'; '.join(found)}."] if found else []


def _curves(frame: pd.DataFrame) -> list[dict[str, Any]]:
    curves = []
    for _, rows in frame.groupby(["label", "attack", "view"], sort=False):
        records = rows.to_dict("records")
        about = {key: records[0][key] for key in _ABOUT}
        keys = (*_POINT, *(_TARGET if records[0]["aimed"] else ()))
        points = [{k: rounded(p[k]) if k in _ROUNDED else p[k] for k in keys} for p in records]
        cost = {key: rounded(records[0][key]) for key in COST}
        curves.append({**about, "points": points, "cost": cost})
    return curves
