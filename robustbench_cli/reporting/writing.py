"""Reports as files: every table and picture in a folder, or everything on one page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from robustbench_cli.errors import UsageError
from robustbench_cli.runs.given import RunsLike

from .analyses import Analyses, analysis_table
from .contests import Contest
from .everything import claims, gather, judged, pictures
from .figure import save_figure
from .formats.images import write_images
from .formats.table import SUFFIXES, Table, joined
from .numbers.frame import Attacks
from .numbers.unions import Unions
from .page import is_page
from .selection import Epsilons, Selection
from .statements import Given

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


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
    return joined(first, told), written


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
    return joined(first, told)


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
    return joined(table, told.values()), [*written, *images]


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
