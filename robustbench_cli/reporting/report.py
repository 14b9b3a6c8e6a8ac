"""Reports in two calls: `table` for numbers, `figure` for pictures; as files, see `writing`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from robustbench_cli.errors import UsageError
from robustbench_cli.runs.given import RunsLike
from robustbench_cli.spec import build

from .analyses import Analyses, analysis_table
from .everything import judged
from .figure import Figure, check_suffix, save_figure
from .formats.table import Table, joined
from .numbers.frame import Attacks
from .numbers.unions import Unions
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
    return joined(accuracy_table(selection), judged(selection).values())


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
    return replace(joined(first, more), frame=frame)


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
    return joined(analysis_table(selection.answers, by), judged(selection).values())
