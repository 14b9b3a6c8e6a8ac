"""Unions over norms, of runs and over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.norm_union import NAME, Joined, NormUnion, join
from robustbench_cli.statistics.intervals import wilson

from .frame import view_of
from .summary import Estimate

Unions = NormUnion | str | Sequence[NormUnion | str]
"""``"linf=8/255,l2=0.5"``, or several."""


@dataclass(frozen=True)
class Jointly:
    """One group of runs under a union over norms; `members` has one for each of its runs."""

    union: NormUnion
    label: str
    view: str
    runs: tuple[str, ...]
    members: tuple[Joined, ...]

    @property
    def n(self) -> int:
        return min(each.n for each in self.members)

    @property
    def clean(self) -> Estimate:
        return self._over([each.clean for each in self.members])

    @property
    def accuracy(self) -> Estimate:
        return self._over([each.right for each in self.members])

    def _over(self, counts: Sequence[int]) -> Estimate:
        first = self.members[0].n
        shares = [k / each.n for k, each in zip(counts, self.members, strict=True)]
        return Estimate.over(shares, wilson=wilson(counts[0], first))


def parse_unions(given: Unions) -> tuple[NormUnion, ...]:
    """
    Raises:
        UsageError: one that is none.
    """
    listed = [given] if isinstance(given, (str, NormUnion)) else given
    return tuple(u if isinstance(u, NormUnion) else NormUnion.parse([u]) for u in listed)


def collect_unions(
    frame: pd.DataFrame, evaluations: Mapping[str, Sequence[Evaluation]], unions: Unions
) -> list[Jointly]:
    """Of the groups in the rows of `frame` (see `collect`), by run name their evaluations.

    A run that was not attacked in every ball, on the same images, is in none.
    """
    found = []
    for union in parse_unions(unions):
        joined = {
            (run, *_subject(each)): each
            for run, listed in evaluations.items()
            for each in join(union, listed)
        }
        groups: dict[tuple[str, str], list[tuple[str, Joined]]] = {}
        for run, defence, view, label in _subjects(frame):
            if each := joined.get((run, defence, view)):
                groups.setdefault((label, view), []).append((run, each))
        for (label, view), listed in groups.items():
            runs, members = zip(*listed, strict=True)
            found.append(Jointly(union, label, view, runs, members))
    return found


def lacking(frame: pd.DataFrame, unions: Unions, found: Iterable[Jointly]) -> list[str]:
    """A line for each union that some runs of the frame have no place in."""
    lines, known = [], list(found)
    for union in parse_unions(unions):
        there = {(run, each.label) for each in known if each.union == union for run in each.runs}
        others = [run for run, _, _, label in _subjects(frame) if (run, label) not in there]
        if others:
            named = dict.fromkeys(others)
            more = f" and {len(named) - 1} more" if len(named) > 1 else ""
            typed = " ".join(f"-e {ball}" for ball in union.balls)
            lines.append(
                f"{others[0]}{more}: not attacked in all of {union} on the same images, so in no "
                f"row of the union; robustmix attack RUN -a {NAME} {typed}"
            )
    return lines


def _subject(joined: Joined) -> tuple[str, str]:
    first = joined.parts[0]
    return str(first.record.get("identity", {}).get("defence") or ""), view_of(first)


def _subjects(frame: pd.DataFrame) -> Iterator[tuple[str, str, str, str]]:
    """Run, defence, view, label."""
    alone = frame[frame["view"] != "smoothed"].drop_duplicates(["run", "defence", "view"])
    yield from zip(*(alone[key] for key in ("run", "defence", "view", "label")), strict=True)
