"""Published numbers beside ours: the difference, and whether ours is sure enough to call it one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from robustbench_cli.reporting.statements import PLAIN, Published
from robustbench_cli.runs.run import Run
from robustbench_cli.trust.examine import level_of

from .named import Known, LackingError
from .summary import Estimate


@dataclass(frozen=True)
class Beside:
    """A published number, and `ours` in the same unit; None where it is missing, and `why`.

    `unit`: of a number of an analysis; a share is kept as one. `n`: images. `on`: the machine, of
    cost. `checks`: the worst that they say of our runs.
    """

    published: Published
    label: str
    ours: Estimate | None = None
    why: str = ""
    attack: str | None = None
    n: int | None = None
    unit: str = ""
    on: str = ""
    checks: str = ""

    @property
    def difference(self) -> float | None:
        """Ours minus theirs."""
        return None if self.ours is None else self.ours.value - self.published.value

    @property
    def inside(self) -> bool | None:
        """Whether the published number lies in our 95 % interval; None without an interval.

        Of several runs that is Student's over seeds, of one Wilson's over images.
        """
        if self.ours is None or self.ours.low is None or self.ours.high is None:
            return None
        return self.ours.low <= self.published.value <= self.ours.high


def beside(runs: Sequence[Run], published: Sequence[Published]) -> list[Beside]:
    """
    Raises:
        UsageError: groups by a setting that no run has.
    """
    known = Known(runs)
    return [_beside(known, each) for each in published]


def _beside(known: Known, published: Published) -> Beside:
    name = published.method
    try:
        if published.measure == "cost":
            label, seconds = known.cost(published, name)
            on = max(seconds, key=lambda machine: len(seconds[machine]))
            ours = Estimate.over(list(seconds[on].values()), most=inf)
            return Beside(published, label, ours, on=on)
        if published.measure in PLAIN:
            look = known.number if published.measure == "number" else known.validation_loss
            seen = look(published, name)
            if seen.unit == "share":
                published = replace(published, value=published.value / 100)
            return Beside(published, seen.label, seen.estimate, unit=seen.unit)
        curve = known.curve(published, name, published.attack)
    except LackingError as e:
        return Beside(published, name, why=str(e))
    if published.measure == "accuracy" and published.eps is not None:
        found = curve.at(published.eps)
    else:
        found = curve.clean if published.measure == "clean" else curve.share
    if found is None:
        listing = ", ".join(map(str, curve.epsilons))
        lacks = f"eps {published.eps}" if published.eps else "three epsilons for an area"
        return Beside(published, curve.label, why=f"lacks {lacks}; there are: {listing}")
    level = level_of(
        known.findings(published.by, published.attack), curve.runs, curve.defence, curve.view
    )
    n = curve.images[0][0] if published.measure == "clean" else curve.n
    return Beside(published, curve.label, found, attack=curve.attack, n=n, checks=level)
