"""All that runs hold: the tables, and the figures that they have something for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from robustbench_cli.errors import RobustmixError, UsageError
from robustbench_cli.files import slug, write
from robustbench_cli.spec import build, names

from .analyses import analysis_table
from .contests import Contest
from .figure import Figure
from .formats.table import Table
from .numbers.published import beside
from .page.page import APART, page
from .selection import Selection
from .tables import transfers as matrix
from .tables.accuracy import accuracy_table
from .tables.claims import claims_table
from .tables.published import published_table
from .tables.tried import tried_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_FITTING = ("setting-curve", "certified")
_TOO = ("history", "timing", "scatter", "heatmap", "attacks-compared")
"""What a page has room for beside the pictures of a folder."""


@dataclass(frozen=True)
class Everything:
    """`tables` by what they are of: table (the accuracies, where there are any), analyses,
    transfers, published, claims, tried. `drawings` by figure.
    """

    selection: Selection
    tables: dict[str, Table]
    drawings: dict[str, Drawing]

    @property
    def joined(self) -> tuple[Table, list[Table]]:
        """The main table, and what was judged, to stand below it."""
        told = [self.tables[key] for key in ("published", "claims") if key in self.tables]
        return self.tables.get("table") or self.tables["analyses"], told

    def chosen_from(self, tried: Sequence[Contest]) -> Self:
        """With what the settings at hand were chosen from, where they were."""
        told = {"tried": tried_table(tried)} if tried else {}
        return replace(self, tables=self.tables | told)

    def save_page(self, path: Path, command: str = "") -> None:
        """As one HTML file; `command`: what was typed for it."""
        write(path, page(self.selection, self.tables, self.drawings, command))


def gather(selection: Selection, figures: Iterable[str] = (), *, paged: bool = False) -> Everything:
    """Tables and figures of all that is stored of a selection.

    Args:
        figures: specs that are drawn, too.
        paged: for a page alone, which draws the decay curve by itself, and has room for figures
            that a folder does not have unless it is told so.

    Raises:
        UsageError: a choice that fits no result; a figure of `figures` that cannot be drawn.
        RunError: runs that were neither attacked nor analysed.
    """
    chosen = [build(Figure, spec) for spec in figures]
    runs = selection.runs
    analysed = any((run.path / "analyses").is_dir() for run in runs)
    tables: dict[str, Table] = {}
    drawings: dict[str, Drawing] = {}
    if not analysed or any((run.path / "attacks").is_dir() for run in runs):
        transfers = _transfers(selection)
        tables["table"] = accuracy_table(selection)
        if not paged:  # it is APART
            drawings["decay-curve"] = build(Figure, "decay-curve").draw(selection)
    else:
        transfers = None
    drawings |= _fitting(selection, (*_FITTING, *_TOO * paged))
    drawings |= {slug(str(each)): each.draw(selection) for each in chosen}
    if analysed:
        tables["analyses"] = analysis_table(selection.answers, selection.by)
        drawings |= pictures(selection, APART if paged else ())
    if transfers:
        tables["transfers"] = matrix.transfer_table(transfers)
        drawings["transfer-matrix"] = build(Figure, "transfer-matrix").draw(transfers)
    return Everything(selection, tables | judged(selection), drawings | claims(selection))


def judged(selection: Selection) -> dict[str, Table]:
    """A table for published numbers and one for claims, where there are any."""
    found, statements = {}, selection.statements
    if statements.published:
        found["published"] = published_table(beside(selection.runs, statements.published))
    if statements.claims:
        found["claims"] = claims_table(selection.judged)
    return found


def claims(selection: Selection) -> dict[str, Drawing]:
    """Their picture, where there are any."""
    if not selection.statements.claims:
        return {}
    return {"claims": build(Figure, "claims").draw(selection)}


def pictures(selection: Selection, without: Iterable[str] = ()) -> dict[str, Drawing]:
    """Of each stored analysis that a figure is named after."""
    stored = dict.fromkeys(answer.name for answer in selection.answers)
    drawn = [name for name in stored if name in names("figures") and name not in without]
    return {name: build(Figure, name).draw(selection) for name in drawn}


def _fitting(selection: Selection, wanted: Iterable[str]) -> dict[str, Drawing]:
    """The figures that only some runs have something for."""
    found = {}
    for name in wanted:
        with suppress(RobustmixError):
            found[name] = build(Figure, name).draw(selection)
    return found


def _transfers(selection: Selection) -> Selection | None:
    """As chosen; all transfers where the choice, made for attacks, fits none; None without any."""
    everything = Selection.of(selection.runs, by=selection.by)
    if everything.transfers.empty:
        return None
    try:
        return selection if selection.cells else everything
    except UsageError:
        return everything
