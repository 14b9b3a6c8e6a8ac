"""Reports in two calls: `table` for the numbers, `figure` for the pictures; all of it as files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from robustbench_cli.errors import UsageError
from robustbench_cli.runs.given import RunsLike
from robustbench_cli.spec import build

from .analyses import Analyses, analysis_table
from .contests import Contest
from .everything import claims, gather, judged, pictures
from .figure import Figure, check_suffix, save_figure
from .formats.images import write_images
from .formats.table import SUFFIXES, Table
from .numbers.frame import Attacks
from .numbers.unions import Unions
from .page import is_page
from .selection import Epsilons, Selection
from .statements import Given
from .tables import transfers as matrix
from .tables.accuracy import accuracy_table
from .terminal import decay_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

__all__ = [
    "check_suffix",
    "drawn_as_text",
    "figure",
    "judge",
    "save_figure",
    "summary",
    "table",
    "transfer_table",
    "write_page",
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
    unions: Unions = (),
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
        unions: over norms, ``"linf=8/255,l2=0.5"``: apart from the rest, what withstands all of it.

    Raises:
        UsageError: no such setting, attack, epsilon, row or union in these runs.
        RunError: no run was attacked, or one is damaged.
    """
    selection = Selection.of(
        runs,
        by=by,
        attack=attack,
        epsilons=epsilons,
        against=against,
        statements=statements,
        unions=unions,
    )
    return _joined(accuracy_table(selection), judged(selection).values())


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
    first, *more = judged(selection).values()
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


def drawn_as_text(
    runs: RunsLike,
    width: int,
    *,
    by: str = "method",
    attack: Attacks = None,
    epsilons: Epsilons = None,
    highlight: str | Iterable[str] = (),
    unicode: bool = True,
    colour: bool = False,
) -> str:
    """Decay curves of at most `width` columns, for a terminal.

    Raises:
        UsageError: no such setting, attack, epsilon or line.
        RunError: no run was attacked.
    """
    selection = Selection.of(runs, by=by, attack=attack, epsilons=epsilons, highlight=highlight)
    return decay_text(selection, width, unicode=unicode, colour=colour)


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
    return _joined(analysis_table(selection.answers, by), judged(selection).values())


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
    unions: Unions = (),
    tried: Sequence[Contest] = (),
    command: str = "",
) -> tuple[Table, list[Path]]:
    """Every table format, the usual figures and the page into `folder`; the table, and the files.

    table.txt/.md/.csv/.json/.tex and decay-curve.png/.svg; where runs hold transfers, the same
    for transfers and transfer-matrix; where they differ in one number, setting-curve; where they
    hold certificates, certified; where they hold analyses, a table and a picture for each; of
    `statements`, published and claims; what `figures` names; and report.html, which shows them all,
    and what was `tried` to choose the settings of these runs.
    A file is whole or not there.
    """
    selection = Selection.of(
        runs,
        by=by,
        attack=attack,
        epsilons=epsilons,
        against=against,
        highlight=highlight,
        statements=statements,
        unions=unions,
    )
    everything = gather(selection, figures)
    written = _write(Path(folder), everything.tables, everything.drawings)
    written.append(Path(folder) / "report.html")
    everything.chosen_from(tried).save_page(written[-1], command)
    first, told = everything.joined
    return _joined(first, told), written


def write_page(
    runs: RunsLike,
    path: str | Path,
    *,
    by: str = "method",
    attack: Attacks = None,
    epsilons: Epsilons = None,
    against: str | None = None,
    highlight: str | Iterable[str] = (),
    analysis: Analyses = None,
    figures: Iterable[str] = (),
    statements: Given | None = None,
    unions: Unions = (),
    tried: Sequence[Contest] = (),
    command: str = "",
) -> Table:
    """Everything that the runs hold as one HTML file that loads nothing; its main table.

    `figures` join those that the runs support; `command` is what was typed for the page,
    `tried` what the settings of the runs were chosen from, as `select` gives it.

    Raises:
        UsageError: as `table`; or `path` does not end in .html.
        RunError: the runs were neither attacked nor analysed.
    """
    path = Path(path)
    if not is_page(path):
        raise UsageError(f"{path}: a page is a file that ends in .html")
    selection = Selection.of(
        runs,
        by=by,
        attack=attack,
        epsilons=epsilons,
        against=against,
        highlight=highlight,
        analysis=analysis,
        statements=statements,
        unions=unions,
    )
    everything = gather(selection, figures, paged=True)
    everything.chosen_from(tried).save_page(path, command)
    first, told = everything.joined
    return _joined(first, told)


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
    table, told = analysis_table(selection.answers, by), judged(selection)
    drawings = pictures(selection) | claims(selection)
    written = _write(Path(folder), {"analyses": table, **told}, drawings)
    pictured = [answer for answer in selection.answers if "saved" in answer.analysed.table]
    images, warnings = write_images(pictured, Path(folder))
    table.notes.extend(warnings)
    return _joined(table, told.values()), [*written, *images]


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
