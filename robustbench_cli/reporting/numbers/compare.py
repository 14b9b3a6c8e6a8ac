"""One method against another on the same images: the difference, and whether it could be chance.

Differences are of accuracies, group minus baseline, under one attack in one view. With three or
more runs on both sides the interval is a paired bootstrap over images and runs; with one run each,
over images alone, beside McNemar's exact p; with anything else there is no interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run
from robustbench_cli.statistics.curves import area_share
from robustbench_cli.statistics.paired import mcnemar, paired_bootstrap

from .frame import view_of
from .labels import group_of
from .summary import Curve


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


def _compare(
    known: dict[str, tuple[Run, str]], curve: Curve, baseline: Curve, shown: Sequence[Eps]
) -> Comparison:
    both = [eps for eps in curve.epsilons if eps in baseline.epsilons]
    sides = [
        [_rights(*known[name], side, both) for name in side.runs] for side in (curve, baseline)
    ]
    common = sorted(set.intersection(*(set(r) for side in sides for r in side)))
    if not common:
        return Comparison(curve, baseline, {}, None)
    first, second = (
        np.array([[rights[i] for i in common] for rights in side], float) for side in sides
    )  # (runs, n, epsilons)
    at = {
        eps: _difference(first[:, :, k], second[:, :, k])
        for k, eps in enumerate(both)
        if not eps.value or not shown or eps in shown
    }
    area = None
    if len(both) > 2:
        x = [float(eps) for eps in both]
        weights = np.array([area_share(x, unit) for unit in np.eye(len(x)).tolist()])
        area = _difference(first @ weights, second @ weights, whole=False)
    return Comparison(curve, baseline, at, area)


def _difference(first: np.ndarray, second: np.ndarray, *, whole: bool = True) -> Difference:
    """(runs, n) each."""
    counts = len(first), len(second)
    value, low, high = paired_bootstrap(first, second)
    p = mcnemar(first[0], second[0]) if whole and counts == (1, 1) else None
    if counts == (1, 1) or min(counts) > 2:
        return Difference(value, low, high, p, first.shape[1])
    return Difference(value, None, None, p, first.shape[1])


def _rights(run: Run, group: str, curve: Curve, epsilons: Sequence[Eps]) -> dict[int, list[bool]]:
    """Sample -> right at each epsilon, from the evaluation that speaks for it in the table."""
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
    shared = set.intersection(*(set(column.index) for column in columns))
    return {int(i): [bool(column[i]) for column in columns] for i in shared}


def _belongs(evaluation: Evaluation, group: str, curve: Curve) -> bool:
    defence = evaluation.record.get("identity", {}).get("defence")
    behind = f" {defence}" if defence else ""
    return (
        evaluation.attack == curve.attack
        and view_of(evaluation) == curve.view
        and curve.group == f"{group}{behind}"
    )
