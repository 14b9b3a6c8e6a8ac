"""What a table or a figure is to show; everything is read from the run directories once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property

import pandas as pd

from robustbench_cli.epsilon import Eps, grid
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.runs.given import RunsLike, all_runs
from robustbench_cli.runs.norm_union import NormUnion
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import Plugin, split
from robustbench_cli.trust.examine import Found, apart, examine_runs, verdict_line, warnings

from .analyses import Analyses, Answer, collect_analyses
from .numbers.claims import Judged, judge
from .numbers.compare import Comparison, compare
from .numbers.frame import Attacks, collect
from .numbers.summary import Curve, summarise
from .numbers.transfers import Cell, average, collect_transfers
from .numbers.unions import Jointly, Unions, collect_unions, lacking, parse_unions
from .statements import Given, Statements, read_statements
from .tables.notes import notes

Epsilons = str | Iterable[Eps | str | float] | None


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Runs, the setting that names their groups, and a choice of attacks and epsilons.

    An empty choice stands for all. `targets` narrows transfers to these runs. `against` names the
    group that the others are compared with, `highlight` those that figures show in colour.
    `statements`: what others say of them. `unions`: over norms, to stand apart from all else.
    """

    runs: tuple[Run, ...]
    by: str = "method"
    attack: str | tuple[str, ...] | None = None
    epsilons: tuple[Eps, ...] = ()
    targets: tuple[Run, ...] = ()
    against: str | None = None
    highlight: tuple[str, ...] = ()
    analysis: Analyses = None
    statements: Statements = field(default_factory=Statements)
    unions: tuple[NormUnion, ...] = ()

    @classmethod
    def of(
        cls,
        runs: RunsLike,
        *,
        by: str = "method",
        attack: Attacks = None,
        epsilons: Epsilons = None,
        targets: RunsLike = (),
        against: str | None = None,
        highlight: str | Iterable[str] = (),
        analysis: Analyses = None,
        statements: Given | None = None,
        unions: Unions = (),
    ) -> Selection:
        """From what a user writes: specs as text or as objects, one or several."""
        listed = tuple(all_runs(runs, "a report"))
        if not listed:
            raise UsageError("no run to report on; name a directory: robustmix report runs/")
        if attack is not None and not isinstance(attack, str):
            attack = tuple(map(str, [attack] if isinstance(attack, Plugin) else attack))
        chosen = parse_epsilons(epsilons)
        return cls(
            runs=listed,
            by=by,
            attack=attack,
            epsilons=chosen,
            targets=tuple(all_runs(targets, "a transfer's targets")),
            against=against,
            highlight=(highlight,) if isinstance(highlight, str) else tuple(highlight),
            analysis=analysis,
            statements=read_statements(statements or {}, by),
            unions=parse_unions(unions),
        )

    @cached_property
    def frame(self) -> pd.DataFrame:
        """See :func:`~robustbench_cli.reporting.numbers.frame.collect`."""
        return collect(self.runs, by=self.by, attack=self.attack)

    @cached_property
    def curves(self) -> list[Curve]:
        """
        Raises:
            RunError: no run was attacked yet.
            UsageError: no curve has one of the chosen epsilons.
        """
        curves = summarise(self.frame)
        if not curves:
            raise RunError(
                f"{self.runs[0].path}: not attacked yet, so there is nothing to report; "
                f"type: robustmix sweep-epsilon {self.runs[0].path}"
            )
        known = {eps for curve in curves for eps in curve.epsilons}
        for eps in self.epsilons:
            if eps not in known:
                listing = ", ".join(map(str, sorted(known)))
                raise UsageError(f"no run was attacked at eps {eps}; there are: {listing}")
        return curves

    def shown(self, curve: Curve) -> list[int]:
        """Positions of the chosen epsilons of a curve; epsilon 0 is always among them."""
        chosen = self.epsilons or curve.epsilons
        return [i for i, e in enumerate(curve.epsilons) if e in chosen or not e.value]

    def highlighted(self, labels: Iterable[str]) -> list[str]:
        """Those of `labels` that `highlight` names: whole, or by a method that is part of them.

        Raises:
            UsageError: a name that fits none.
        """
        known = list(dict.fromkeys(labels))
        found: dict[str, None] = {}
        for name in self.highlight:
            fitting = [label for label in known if label == name] or [
                label for label in known if name in _pieces(label)
            ]
            if not fitting:
                near = get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
                raise UsageError(f"--highlight {name}: no such line; {hint}")
            found |= dict.fromkeys(fitting)
        return [label for label in known if label in found]

    @cached_property
    def joined(self) -> list[Jointly]:
        """The groups under the unions over norms; what is lacking, `notes` say."""
        evaluations = {run.name: run.evaluations() for run in self.runs} if self.unions else {}
        return collect_unions(self.frame, evaluations, self.unions)

    @cached_property
    def transfers(self) -> pd.DataFrame:
        """See :func:`~robustbench_cli.reporting.numbers.transfers.collect_transfers`."""
        return collect_transfers(self.runs, by=self.by, attack=self.attack, targets=self.targets)

    @cached_property
    def cells(self) -> list[Cell]:
        """The transfers averaged over seeds, at the chosen epsilons or at one.

        Raises:
            RunError: no transfers.
            UsageError: a chosen epsilon that nothing was transferred at.
        """
        return average(self.transfers, self.epsilons)

    @cached_property
    def answers(self) -> list[Answer]:
        """What is stored of the chosen analyses.

        Raises:
            RunError: no run was looked at.
            UsageError: none by a chosen analysis.
        """
        return collect_analyses(self.runs, by=self.by, analysis=self.analysis)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Of every curve with that of `against`; none where nothing is to be compared.

        Raises:
            UsageError: no group is called so.
        """
        if self.against is None:
            return []
        return compare(self.runs, self.curves, self.epsilons, self.against, self.by)

    @cached_property
    def judged(self) -> list[Judged]:
        """The claims with their verdicts."""
        return judge(self.runs, self.statements.claims)

    @cached_property
    def notes(self) -> list[str]:
        return [
            *warnings(self.findings),
            *notes(self.runs, self.frame, self.curves, self.by),
            *lacking(self.frame, self.unions, self.joined),
        ]

    @cached_property
    def findings(self) -> Found:
        """What the checks say of each run."""
        return examine_runs(self.runs, self.frame)

    @cached_property
    def verdict(self) -> tuple[str, ...]:
        """The line that ends the table, and one about what was not asked for, if need be."""
        others = apart(self.findings, self.runs)
        line = verdict_line(self.findings, self.runs)
        return (line, f"Apart: {others}") if others else (line,)


def _pieces(label: str) -> set[str]:
    """The specs in a label such as ``mixup:alpha=0.4+pgd-at, lenet5``, and their names."""
    specs = [part for piece in label.split(", ") for part in split(piece)]
    return {*specs, *(spec.partition(":")[0] for spec in specs)}


def parse_epsilons(given: Epsilons) -> tuple[Eps, ...]:
    """``"0,8/255"``, ``"0:0.5:0.1"``, or any mixture of epsilons, texts and numbers; sorted."""
    if given is None:
        return ()
    listed = given.split(",") if isinstance(given, str) else [str(eps) for eps in given]
    ranges = [text for text in listed if ":" in text]
    return grid([text for text in listed if ":" not in text], ranges)
