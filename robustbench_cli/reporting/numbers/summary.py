"""Over seeds: one decay curve for each group of runs and attack, with what is read off it.

The interval of every number says where it comes from: three or more seeds give Student's t over
seeds, one run gives Wilson's (test sampling only), two runs give no interval. Attacks, norms and
views are never averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from robustbench_cli.epsilon import Eps
from robustbench_cli.statistics.curves import area, area_share, area_share_interval, eps_at
from robustbench_cli.statistics.intervals import t_interval

Interval = Literal["t", "wilson", "none"]


@dataclass(frozen=True)
class Estimate:
    """A mean over runs. `values` has one number for each of them; `low` and `high` may be None."""

    value: float
    low: float | None
    high: float | None
    interval: Interval
    values: tuple[float, ...]

    @classmethod
    def over(
        cls,
        values: Sequence[float],
        *,
        wilson: tuple[float, float] | None = None,
        most: float = 1.0,
    ) -> Estimate:
        """From one value per run; `wilson` is the interval if there is only one.

        Bounds are cut to [0, `most`], where the number has to lie.
        """
        value, interval = float(np.mean(values)), t_interval(values)
        if interval is not None:
            low, high = max(0.0, interval[0]), min(most, interval[1])
            return cls(value, low, high, "t", tuple(values))
        if len(values) == 1 and wilson is not None:
            return cls(value, *wilson, "wilson", tuple(values))
        return cls(value, None, None, "none", tuple(values))

    @property
    def half_width(self) -> float | None:
        """Of the t interval as it is before it is cut."""
        interval = t_interval(self.values) if self.interval == "t" else None
        return None if interval is None else (interval[1] - interval[0]) / 2


@dataclass(frozen=True)
class Curve:
    """How the accuracy of one group falls with epsilon under one attack.

    `accuracy` goes with `epsilons`, the ones that all runs of the group have; the first is 0, the
    clean images. `images` goes with them, too: of how many they are, the fewest and the most of the
    runs; several evaluations of one run may differ in it. `at_target`, of targeted attacks: the
    share of the `aimed` images of other classes taken for the class aimed at.
    """

    label: str
    group: str
    data: str
    model: str
    method: str
    attack: str
    norm: str
    view: str
    runs: tuple[str, ...]
    seeds: tuple[int | None, ...]
    classes: int | None
    defence: str  # put before the finished network; or empty
    epsilons: tuple[Eps, ...]
    accuracy: tuple[Estimate, ...]
    images: tuple[tuple[int, int], ...]
    at_target: tuple[Estimate, ...] = ()
    aimed: int = 0
    split: str = "test"

    @property
    def clean(self) -> Estimate:
        return self.accuracy[0]

    @property
    def n(self) -> int:
        """The fewest images that any accuracy is of."""
        return min(fewest for fewest, _ in self.images)

    @property
    def interval(self) -> Interval:
        return self.clean.interval

    @property
    def bare_group(self) -> str:
        """The group, had no defence been put before it."""
        return self.group.removesuffix(f" {self.defence}") if self.defence else self.group

    @property
    def reach(self) -> Eps:
        """The largest epsilon."""
        return self.epsilons[-1]

    def at(self, eps: Eps) -> Estimate | None:
        return dict(zip(self.epsilons, self.accuracy, strict=True)).get(eps)

    @cached_property
    def area(self) -> Estimate | None:
        """Under the curve, accuracy times pixels; None for fewer than three points."""
        if len(self.epsilons) < 3:
            return None
        x = [float(eps) for eps in self.epsilons]
        within = self._area_interval
        wide = (within[0] * x[-1], within[1] * x[-1]) if within else None
        return Estimate.over([area(x, run) for run in self._by_run], wilson=wide, most=x[-1])

    @cached_property
    def share(self) -> Estimate | None:
        """The area as a share of its range, that is the mean accuracy over it."""
        if len(self.epsilons) < 3:
            return None
        x = [float(eps) for eps in self.epsilons]
        return Estimate.over(
            [area_share(x, run) for run in self._by_run], wilson=self._area_interval
        )

    @cached_property
    def half(self) -> Estimate | None:
        """The epsilon at which accuracy has fallen to half of the clean one.

        Runs that never fall so far count with the largest epsilon, and then the value is only a
        lower bound (:attr:`half_reached` is False). None for fewer than three points.
        """
        if len(self.epsilons) < 3:
            return None
        found = [self.reach.value if v is None else v for v in self._halves]
        return Estimate.over([float(v) for v in found], most=float(self.reach))

    @property
    def half_reached(self) -> bool:
        return None not in self._halves

    @property
    def _halves(self) -> list[float | None]:
        x = [float(eps) for eps in self.epsilons]
        return [eps_at(x, run, run[0] / 2) for run in self._by_run]

    @property
    def _area_interval(self) -> tuple[float, float] | None:
        """For one run; the share, from test sampling."""
        x = [float(eps) for eps in self.epsilons]
        return area_share_interval(x, self._by_run[0], self.n) if len(self.runs) == 1 else None

    @property
    def _by_run(self) -> list[tuple[float, ...]]:
        return list(zip(*(estimate.values for estimate in self.accuracy), strict=True))


def summarise(frame: pd.DataFrame) -> list[Curve]:
    """The curves of :func:`~robustbench_cli.reporting.numbers.frame.collect`'s rows.

    Attack by attack, and within an attack in the order of the groups.
    """
    curves = []
    order = {group: i for i, group in enumerate(frame["group"].unique())}
    parts = list(frame.groupby(["attack", "view", "group"], sort=False))
    parts.sort(key=lambda part: (part[0][0], part[0][1], order[part[0][2]]))
    for _, rows in parts:
        curves.append(_curve(rows))
    return curves


def _curve(rows: pd.DataFrame) -> Curve:
    first = rows.iloc[0]
    names = tuple(rows["run"].unique())
    shared = [
        (Eps.parse(str(part["eps"].iloc[0])), part)
        for _, part in rows.groupby("eps_value", sort=True)
        if len(part) == len(names)
    ]
    seeds = rows.drop_duplicates("run")["seed"]
    return Curve(
        **{k: str(first[k]) for k in ("label", "group", "data", "model", "method")},
        **{k: str(first[k]) for k in ("attack", "norm", "view", "split")},
        runs=names,
        seeds=tuple(None if pd.isna(seed) else int(seed) for seed in seeds),
        defence=str(first["defence"]),
        classes=None if pd.isna(first["classes"]) else int(first["classes"]),
        epsilons=tuple(eps for eps, _ in shared),
        accuracy=tuple(_estimate(part, "accuracy", "low", "high") for _, part in shared),
        images=tuple((int(part["n"].min()), int(part["n"].max())) for _, part in shared),
        at_target=tuple(
            _estimate(part, "at_target", "at_target_low", "at_target_high") for _, part in shared
        )
        if rows["aimed"].min()
        else (),
        aimed=int(rows["aimed"].min()),
    )


def _estimate(rows: pd.DataFrame, name: str, low: str, high: str) -> Estimate:
    interval = float(rows[low].iloc[0]), float(rows[high].iloc[0])
    return Estimate.over([float(value) for value in rows[name]], wilson=interval)
