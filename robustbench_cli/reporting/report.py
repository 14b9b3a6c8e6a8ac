"""Reports in two calls: `table` for the numbers, `figure` for the pictures; and both as files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from robustbench_cli.errors import RobustmixError, UsageError
from robustbench_cli.files import slug
from robustbench_cli.runs.given import RunsLike, all_runs
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build, names

from .analyses import Analyses, analysis_table
from .figure import Figure, check_suffix, save_figure
from .formats.images import write_images
from .formats.table import SUFFIXES, Table
from .numbers.frame import Attacks
from .numbers.published import beside
from .selection import Epsilons, Selection
from .statements import Given
from .tables import transfers as matrix
from .tables.accuracy import accuracy_table
from .tables.claims import claims_table
from .tables.published import published_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

__all__ = [
    "check_suffix",
    "figure",
    "judge",
    "save_figure",
    "summary",
    "table",
    "transfer_table",
    "write_report",
    "write_summary",
]


def table(
    runs: RunsLike,
    *,
    by: str = "method",
    attack: Attacks = None,
    epsilons: Epsilons = None,
    against: str | None = None,
    statements: Given | None = None,
) -> Table:
    """Accuracy over seeds: clean, at each epsilon, area under the decay curve, epsilon at half.

    Args:
        runs: a run, its path, a pattern such as ``"runs/*"``, or several of them.
        by: the setting that names the rows (method, model, train-fraction, ...), or ``run`` for a
            row for each run. Runs are averaged over seeds only, whatever `by` is.
        attack: specs or names; all attacks by default.
        epsilons: ``"0.1,0.2"``, ``"0:0.5:0.1"`` or a sequence; a few of the grid by default.
        against: the row that the others are compared with, such as ``plain``.
        statements: published numbers and claims, judged below; see :func:`judge`.

    Raises:
        UsageError: no such setting, attack, epsilon or row in these runs.
        RunError: no run was attacked, or one is damaged.
    """
    selection = Selection.of(
        runs, by=by, attack=attack, epsilons=epsilons, against=against, statements=statements
    )
    return _joined(accuracy_table(selection), _judged(selection).values())


def transfer_table(
    sources: RunsLike,
    *,
    targets: RunsLike = (),
    by: str = "method",
    attack: Attacks = None,
    epsilons: Epsilons = None,
) -> Table:
    """Accuracy of targets on the adversarials of sources; all targets by default.

    Raises:
        RunError: no transfers in these runs.
    """
    selection = Selection.of(sources, by=by, attack=attack, epsilons=epsilons, targets=targets)
    return matrix.transfer_table(selection)


def judge(runs: RunsLike, statements: Given, *, by: str = "method") -> Table:
    """Published numbers beside ours, and claims with verdicts.

    Args:
        statements: a TOML file with ``[[published]]`` and ``[[claim]]``, or the same as a
            dictionary: ``{"claim": [{"better": "vib", "than": "plain", "measure": "clean"}]}``.
        by: the setting that names groups, where a statement does not say another.

    Raises:
        UsageError: a statement that makes no sense; one that the runs cannot answer is a row.
    """
    selection = Selection.of(runs, by=by, statements=statements)
    if not selection.statements:
        raise UsageError("nothing to judge: expected a claim or a published number")
    first, *more = _judged(selection).values()
    frame = pd.concat([each.frame for each in (first, *more)], ignore_index=True).convert_dtypes()
    return replace(_joined(first, more), frame=frame)


def figure(
    name: str | Figure,
    runs: RunsLike,
    *,
    by: str = "method",
    attack: Attacks = None,
    epsilons: Epsilons = None,
    highlight: str | Iterable[str] = (),
    analysis: Analyses = None,
    statements: Given | None = None,
) -> Drawing:
    """A matplotlib figure of a spec such as ``decay-curve``; save it with ``.savefig(path)``.

    `highlight`: these lines in colour and the others grey, by label or by method (``pgd-at``).

    Raises:
        UsageError: no such figure, parameter, setting, epsilon or line.
        RunError: the runs hold nothing that it shows.
    """
    plugin = build(Figure, name) if isinstance(name, str) else name
    return plugin.draw(
        Selection.of(
            runs,
            by=by,
            attack=attack,
            epsilons=epsilons,
            highlight=highlight,
            analysis=analysis,
            statements=statements,
        )
    )


def summary(
    runs: RunsLike,
    *,
    by: str = "method",
    analysis: Analyses = None,
    statements: Given | None = None,
) -> Table:
    """The numbers of stored analyses over seeds, and statements judged below.

    Raises:
        RunError: no run was looked at.
        UsageError: none by a chosen analysis.
    """
    selection = Selection.of(runs, by=by, analysis=analysis, statements=statements)
    return _joined(analysis_table(selection.answers, by), _judged(selection).values())


def write_report(
    runs: RunsLike,
    folder: str | Path,
    *,
    by: str = "method",
    attack: Attacks = None,
    epsilons: Epsilons = None,
    against: str | None = None,
    highlight: str | Iterable[str] = (),
    figures: Iterable[str] = (),
    statements: Given | None = None,
) -> tuple[Table, list[Path]]:
    """Every table format and the usual figures into `folder`; the table, and the files in order.

    table.txt/.md/.csv/.json/.tex and decay-curve.png/.svg; where runs hold transfers, the same
    for transfers and transfer-matrix; where they differ in one number, setting-curve; where they
    hold certificates, certified; where they hold analyses, a table and a picture for each; of
    `statements`, published and claims; and what `figures` names. A file is whole or not there.
    """
    listed = all_runs(runs, "write_report")
    chosen = [build(Figure, spec) for spec in figures]
    selection = Selection.of(
        listed,
        by=by,
        attack=attack,
        epsilons=epsilons,
        against=against,
        highlight=highlight,
        statements=statements,
    )
    transfers = _transfers(listed, by, attack, epsilons)
    tables = {"table": accuracy_table(selection)}
    drawings = {"decay-curve": build(Figure, "decay-curve").draw(selection)}
    drawings |= _fitting(selection)
    drawings |= {slug(str(each)): each.draw(selection) for each in chosen}
    if any((run.path / "analyses").is_dir() for run in listed):
        tables["analyses"] = analysis_table(selection.answers, by)
        drawings |= _pictures(selection)
    if transfers:
        tables["transfers"] = matrix.transfer_table(transfers)
        drawings["transfer-matrix"] = build(Figure, "transfer-matrix").draw(transfers)
    told = _judged(selection)
    written = _write(Path(folder), tables | told, drawings | _claims(selection))
    return _joined(tables["table"], told.values()), written


def write_summary(
    runs: RunsLike,
    folder: str | Path,
    *,
    by: str = "method",
    analysis: Analyses = None,
    statements: Given | None = None,
) -> tuple[Table, list[Path]]:
    """The numbers of stored analyses in every format, and their pictures, as files."""
    selection = Selection.of(runs, by=by, analysis=analysis, statements=statements)
    table, told = analysis_table(selection.answers, by), _judged(selection)
    drawings = _pictures(selection) | _claims(selection)
    written = _write(Path(folder), {"analyses": table, **told}, drawings)
    pictured = [answer for answer in selection.answers if "saved" in answer.analysed.table]
    images, warnings = write_images(pictured, Path(folder))
    table.notes.extend(warnings)
    return _joined(table, told.values()), [*written, *images]


def _judged(selection: Selection) -> dict[str, Table]:
    """A table for published numbers and one for claims, where there are any."""
    found, statements = {}, selection.statements
    if statements.published:
        found["published"] = published_table(beside(selection.runs, statements.published))
    if statements.claims:
        found["claims"] = claims_table(selection.judged)
    return found


def _claims(selection: Selection) -> dict[str, Drawing]:
    """Their picture, where there are any."""
    if not selection.statements.claims:
        return {}
    return {"claims": build(Figure, "claims").draw(selection)}


def _joined(table: Table, others: Iterable[Table]) -> Table:
    """One below the other, ending as the first ends; as CSV, the first alone."""
    listed = list(others)
    document: dict[str, Any] = {}
    for each in (*listed, table):
        document |= each.document
    return replace(
        table,
        caption=tuple(line for each in (table, *listed) for line in each.caption),
        sections=tuple(section for each in (table, *listed) for section in each.sections),
        footer=tuple(line for each in (*listed, table) for line in each.footer),
        document=document,
    )


def _pictures(selection: Selection) -> dict[str, Drawing]:
    """Of each stored analysis that a figure is named after."""
    stored = dict.fromkeys(answer.name for answer in selection.answers)
    return {
        name: build(Figure, name).draw(selection) for name in stored if name in names("figures")
    }


def _write(
    folder: Path, tables: Mapping[str, Table], drawings: Mapping[str, Drawing]
) -> list[Path]:
    written = []
    for stem, each in tables.items():
        for suffix in SUFFIXES:
            written.append(folder / f"{stem}{suffix}")
            each.save(written[-1])
    for stem, drawing in drawings.items():
        for suffix in (".png", ".svg"):
            written.append(folder / f"{stem}{suffix}")
            save_figure(drawing, written[-1])
    return written


def _fitting(selection: Selection) -> dict[str, Drawing]:
    """The figures that only some runs have something for."""
    found = {}
    for name in ("setting-curve", "certified"):
        with suppress(RobustmixError):
            found[name] = build(Figure, name).draw(selection)
    return found


def _transfers(runs: list[Run], by: str, attack: Attacks, epsilons: Epsilons) -> Selection | None:
    """As chosen; all transfers where the choice, made for attacks, fits none; None without any."""
    everything = Selection.of(runs, by=by)
    if everything.transfers.empty:
        return None
    chosen = Selection.of(runs, by=by, attack=attack, epsilons=epsilons)
    try:
        return chosen if chosen.cells else everything
    except UsageError:
        return everything
