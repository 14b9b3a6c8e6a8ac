"""One method against another on the same images: the difference, and whether it could be chance.

Differences are of accuracies, group minus baseline, under one attack in one view. With three or
more runs on both sides the interval is a paired bootstrap over images and runs; with one run each,
over images alone, beside McNemar's exact p; with anything else there is no interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run
from robustbench_cli.statistics.curves import area_share
from robustbench_cli.statistics.paired import mcnemar, paired_bootstrap

from .frame import view_of
from .labels import group_of
from .summary import Curve

MOST_DRAWS = 20_000


@dataclass(frozen=True)
class Difference:
    """`value` in accuracy (-1..1) over `n` shared images; `p` only for one run on either side."""

    value: float
    low: float | None
    high: float | None
    p: float | None
    n: int

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out zero (and p, where there is one, is below 0.05)."""
        apart = self.low is not None and self.high is not None and self.low * self.high > 0
        return apart and (self.p is None or self.p < 0.05)


@dataclass(frozen=True)
class Comparison:
    """A curve against its baseline: at the epsilons that both have, and over their range."""

    curve: Curve
    baseline: Curve
    at: dict[Eps, Difference]
    area: Difference | None


def compare(
    runs: Sequence[Run], curves: Sequence[Curve], shown: Sequence[Eps], against: str, by: str
) -> list[Comparison]:
    """Every curve against the one called `against`, of the same attack, data, model and view.

    `shown`: at these epsilons; at all of them if there are none. `by`: what the groups are by.

    Raises:
        UsageError: no group is called so.
    """
    if not any(_named(curve, against) for curve in curves):
        listing = ", ".join(dict.fromkeys(curve.label for curve in curves))
        raise UsageError(f"--against {against}: no such row; there are: {listing}")
    known = {run.name: (run, group_of(run, by)) for run in runs}
    found = []
    for curve in curves:
        key = (curve.attack, curve.view, curve.data, curve.model)
        for other in curves:
            alike = (other.attack, other.view, other.data, other.model) == key
            if alike and _named(other, against) and other is not curve:
                found.append(_compare(known, curve, other, shown))
    return found


def _named(curve: Curve, name: str) -> bool:
    return name in (curve.label, curve.method)


@dataclass(frozen=True)
class Pair:
    """What two groups got right of the images that all of their runs have.

    `first`, `second`: (runs, n, epsilons), 1 where right. `matched`: the i-th runs of both are one
    network, so that it is runs that are redrawn, not those of either side.
    """

    first: np.ndarray
    second: np.ndarray
    epsilons: tuple[Eps, ...]
    matched: bool = False

    @property
    def n(self) -> int:
        return int(self.first.shape[1])

    @property
    def runs(self) -> tuple[int, int]:
        return len(self.first), len(self.second)

    def at(self, eps: Eps, confidence: float = 0.95) -> Difference:
        k = self.epsilons.index(eps)
        return self._difference(self.first[:, :, k], self.second[:, :, k], confidence)

    def area(self, confidence: float = 0.95) -> Difference | None:
        """Of the shares of the area under both curves; None for fewer than three points."""
        if len(self.epsilons) < 3:
            return None
        x = [float(eps) for eps in self.epsilons]
        weights = np.array([area_share(x, unit) for unit in np.eye(len(x)).tolist()])
        sides = self.first @ weights, self.second @ weights
        return self._difference(*sides, confidence, whole=False)

    def _difference(
        self, first: np.ndarray, second: np.ndarray, confidence: float, *, whole: bool = True
    ) -> Difference:
        """(runs, n) each."""
        draws = min(MOST_DRAWS, round(200 / (1 - confidence)))  # as many in a tail at any
        redrawn = (first - second, np.zeros_like(first[:1])) if self.matched else (first, second)
        value, low, high = paired_bootstrap(*redrawn, confidence=confidence, draws=draws)
        p = mcnemar(first[0], second[0]) if whole and self.runs == (1, 1) else None
        if self.runs == (1, 1) or min(self.runs) > 2:
            return Difference(value, low, high, p, self.n)
        return Difference(value, None, None, p, self.n)


def pair(runs: Sequence[Run], first: Curve, second: Curve, by: str = "method") -> Pair | None:
    """Two curves image by image, at the epsilons that both have; None without a common image.

    Of one group under two attacks, the runs that withstood both.
    """
    known = {run.name: (run, group_of(run, by)) for run in runs}
    return _pair(known, first, second)


def _pair(known: dict[str, tuple[Run, str]], first: Curve, second: Curve) -> Pair | None:
    both = tuple(eps for eps in first.epsilons if eps in second.epsilons)
    matched = first.group == second.group
    shared = set(first.runs) & set(second.runs) if matched else {*first.runs, *second.runs}
    sides = [
        [_rights(*known[name], side, both) for name in side.runs if name in shared]
        for side in (first, second)
    ]
    tables = [table for side in sides for table in side]
    if not tables:
        return None
    common = reduce(pd.Index.intersection, [table.index for table in tables[1:]], tables[0].index)
    if not len(common):
        return None
    first_right, second_right = (
        np.array([table.loc[common].to_numpy(float) for table in side]) for side in sides
    )
    return Pair(first_right, second_right, both, matched)


def _compare(
    known: dict[str, tuple[Run, str]], curve: Curve, baseline: Curve, shown: Sequence[Eps]
) -> Comparison:
    found = _pair(known, curve, baseline)
    if found is None:
        return Comparison(curve, baseline, {}, None)
    chosen = [eps for eps in found.epsilons if not eps.value or not shown or eps in shown]
    return Comparison(curve, baseline, {eps: found.at(eps) for eps in chosen}, found.area())


def _rights(run: Run, group: str, curve: Curve, epsilons: Sequence[Eps]) -> pd.DataFrame:
    """Index: sample; columns: whether right at each epsilon, from what speaks in the table."""
    mine = [e for e in run.evaluations() if _belongs(e, group, curve)]
    mine.sort(key=lambda e: (-e.n, -len(e.epsilons)))
    columns = []
    for eps in epsilons:
        if not eps.value:
            first = mine[0].samples.drop_duplicates("index").set_index("index")
            columns.append(first["clean"] == first["label"])
            continue
        speaker = next(e for e in mine if eps in e.epsilons)
        (text,) = (e.text for e in speaker.epsilons if e == eps)
        columns.append(speaker.correct()[text])
    return pd.concat(columns, axis=1, join="inner")


def _belongs(evaluation: Evaluation, group: str, curve: Curve) -> bool:
    defence = evaluation.record.get("identity", {}).get("defence")
    behind = f" {defence}" if defence else ""
    return (
        evaluation.attack == curve.attack
        and view_of(evaluation) == curve.view
        and curve.group == f"{group}{behind}"
    )
