"""Which setting of each method is best on held-out images, before any test image is looked at.

Settings compete that have the same names in their specs and differ in parameters, or in how they
are trained. Those that make the task another one are conditions and tell contests apart: the data,
the share of training images, the noise in labels, and the share held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.runs.run import Run, Split
from robustbench_cli.spec import family, shorten

from .numbers.frame import collect
from .numbers.labels import group_of, label_groups
from .numbers.paths import short_paths
from .numbers.quantity import Quantity, taken
from .numbers.summary import Curve, Estimate, summarise

CONDITIONS = ("data", "train_fraction", "label_noise", "validation")


@dataclass(frozen=True)
class Measure:
    """The one number by which settings are compared: see `Quantity`. More is better."""

    quantity: Quantity
    attack: str
    eps: Eps  # of accuracy; else the largest of the grid

    def __str__(self) -> str:
        return {
            "accuracy": f"accuracy under {self.attack} at ε={self.eps}, %",
            "clean": "clean accuracy, %",
            "area": f"area under {self.attack}, ε 0–{self.eps}, %",
            "half": f"ε at half accuracy under {self.attack}, {self.eps} at most",
        }[self.quantity]


@dataclass(frozen=True)
class Tried:
    """A setting over its seeds. None where nothing was measured, or not of all seeds.

    `value` is of validation images; `test` of test images and the same seeds, `fresh` of test
    images and new seeds: shares of 1, but for the epsilon at half.
    """

    label: str
    runs: tuple[Run, ...]
    value: Estimate | None
    test: Estimate | None = None
    fresh: Estimate | None = None

    @property
    def config(self) -> dict[str, Any]:
        """All settings but the seed."""
        return {k: v for k, v in self.runs[0].config.items() if k != "seed"}


@dataclass(frozen=True)
class Contest:
    """Settings of one method family, the best first; of equals, the one that was listed first."""

    family: str
    measure: Measure | None  # None where nothing was measured
    tried: tuple[Tried, ...]

    @property
    def open(self) -> bool:
        """Whether there was anything to choose."""
        return len(self.tried) > 1

    @property
    def champion(self) -> Tried | None:
        """None where no setting was measured with all its seeds."""
        first = self.tried[0]
        return first if first.value is not None or not self.open else None

    @property
    def second(self) -> Tried | None:
        after = self.tried[1] if self.open else None
        return after if after and after.value is not None else None

    @property
    def lead(self) -> float | None:
        """How far the champion is ahead of the second."""
        return behind(self, self.second) if self.second else None

    @property
    def claimed(self) -> Tried | None:
        """What would have won on the test images; None where not all were attacked there."""
        known = [each for each in self.tried if each.test is not None]
        ranked = [each for each in self.tried if each.value is not None]
        if not known or len(known) < len(ranked):
            return None
        return max(known, key=lambda each: _rounded(each.test))  # of equals, the first

    @property
    def optimism(self) -> float | None:
        """What selecting on the test images would have claimed, less what fresh seeds give."""
        fresh = self.champion.fresh if self.champion else None
        if self.claimed is None or self.claimed.test is None or fresh is None:
            return None
        return self.claimed.test.value - fresh.value

    def __str__(self) -> str:
        text = f"{self.family}: {self.champion.label if self.champion else 'none'}"
        if self.champion is None or self.champion.value is None:
            return text
        value, half = self.champion.value.value, self.measure and self.measure.quantity == "half"
        number = f"{value:.4f}" if half else f"{100 * value:.1f}"
        return f"{text} of {len(self.tried)} tried, {number} ({self.measure})"


def behind(contest: Contest, tried: Tried) -> float | None:
    """How far a setting is behind the champion."""
    best = contest.champion
    if best is None or best.value is None or tried.value is None:
        return None
    return best.value.value - tried.value.value


def select(
    runs: Run | Iterable[Run],
    measure: Quantity = "area",
    *,
    attack: str | None = None,
    eps: str | None = None,
) -> list[Contest]:
    """The best setting of each method family on validation images (``split="validation"``).

    Args:
        measure: ``area`` under the decay curve, ``accuracy`` at `eps`, ``clean`` accuracy,
            or the epsilon at ``half`` accuracy.
        attack: whose curve, where there are several.

    ``[c.champion.config for c in select(runs)]`` are settings to train with new seeds.

    Raises:
        UsageError: no such measure, or runs that cannot be compared.
        RunError: no validation image was attacked.
    """
    listed = [runs] if isinstance(runs, Run) else list(runs)
    if measure not in get_args(Quantity):
        raise UsageError(f"no measure {measure!r}; expected one of {', '.join(get_args(Quantity))}")
    curves = _curves(listed, "validation", attack)
    if not curves:
        where = listed[0].path if listed else "RUN"
        raise RunError(
            f"no validation image was attacked; type: robustmix sweep-epsilon {where} "
            "--split validation"
        )
    wanted = None if eps is None else Eps.parse(eps)
    measures = {group: _measure_of(curve, measure, wanted) for group, curve in curves.items()}
    return contests(listed, measures, values(listed, curves, measures))


def contests(
    runs: Sequence[Run],
    measures: Mapping[str, Measure],
    held: Mapping[str, Estimate],
    test: Mapping[str, Estimate] | None = None,
    fresh: Mapping[str, Estimate] | None = None,
) -> list[Contest]:
    """From numbers by group (see `group_of`): on held-out images, and on test images."""
    labels = label_groups(runs)
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(group_of(run), []).append(run)
    by_contest: dict[tuple[str, ...], list[str]] = {}
    for group, members in groups.items():
        by_contest.setdefault(key_of(members[0].config), []).append(group)
    names = _names(list(by_contest))
    found = []
    for key, listed in by_contest.items():
        tried = [
            Tried(
                labels[group],
                tuple(groups[group]),
                held.get(group),
                (test or {}).get(group),
                (fresh or {}).get(group),
            )
            for group in listed
        ]
        tried.sort(key=lambda each: -_rounded(each.value))  # stable: of equals, the first stays so
        measure = next((measures[group] for group in listed if group in measures), None)
        found.append(Contest(names[key], measure, tuple(tried)))
    return found


def key_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The same for settings that compete: method, network, conditions."""
    names = (family(str(config["method"])), family(str(config["model"])))
    return (*names, *(shorten(config.get(name)) for name in CONDITIONS))


def measured(
    runs: Sequence[Run], split: Split, measures: Mapping[str, Measure], files: Sequence[Path]
) -> dict[str, Estimate]:
    """By group, from these records of evaluations only."""
    return values(runs, _curves(runs, split, None, files) if files else {}, measures)


def values(
    runs: Sequence[Run], curves: Mapping[str, Curve], measures: Mapping[str, Measure]
) -> dict[str, Estimate]:
    """By group; without those of which a run is missing.

    Raises:
        UsageError: settings that compete were measured on other images, epsilons or seeds.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(group_of(run), []).append(run)
    alike: dict[tuple[str, ...], tuple[Any, Curve]] = {}
    found: dict[str, Estimate] = {}
    for group, members in groups.items():
        curve, measure = curves.get(group), measures.get(group)
        if curve is None or measure is None or len(curve.runs) < len(members):
            continue
        about = {"seeds": sorted(map(str, curve.seeds)), "images": curve.n}
        about["epsilons"] = list(map(str, curve.epsilons))
        known, first = alike.setdefault(key_of(members[0].config), (about, curve))
        for name, value in about.items():
            if known[name] != value:
                raise UsageError(
                    f"{first.label} and {curve.label} cannot be compared: other {name}"
                )
        if number := taken(curve, measure.quantity, measure.eps):
            found[group] = number
    return found


def _curves(
    runs: Sequence[Run], split: Split, attack: str | None, files: Sequence[Path] = ()
) -> dict[str, Curve]:
    """By group, of the one attack that there is.

    Raises:
        UsageError: there are several.
    """
    curves = summarise(collect([r.on(split) for r in runs], attack=attack, files=files))
    found: dict[str, Curve] = {}
    for curve in curves:
        other = found.setdefault(curve.bare_group, curve)
        if other is not curve:
            ways = [f"{c.attack}, {c.view}, {c.defence or 'no defence'}" for c in (other, curve)]
            raise UsageError(
                f"{curve.label} was attacked in several ways; name one attack: {' or '.join(ways)}"
            )
    return found


def _measure_of(curve: Curve, quantity: Quantity, eps: Eps | None) -> Measure:
    above = [each for each in curve.epsilons if each.value]
    if quantity in ("area", "half") and len(curve.epsilons) < 3:
        raise UsageError(f"{curve.label}: {quantity} needs three epsilons; attack it by a range")
    if quantity != "accuracy":
        return Measure(quantity, curve.attack, curve.reach)
    if eps is None and len(above) != 1:
        listing = ", ".join(map(str, above)) or "none"
        raise UsageError(f"accuracy at which eps? there are: {listing}")
    at = above[0] if eps is None else eps
    if at not in curve.epsilons:
        raise UsageError(
            f"{curve.label} was not attacked at eps {at}; there are: "
            f"{', '.join(map(str, above)) or 'none'}"
        )
    return Measure(quantity, curve.attack, at)


def _names(keys: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """The method family of each contest, and what else tells them apart."""
    words = ("", "", *(f"{name.replace('_', '-')}=" for name in CONDITIONS))
    words = tuple(word if word != "data=" else "" for word in words)
    differ = [i for i in range(1, len(words)) if len({key[i] for key in keys}) > 1]
    short = short_paths(text for key in keys for text in key)
    return {key: ", ".join([key[0], *(words[i] + short(key[i]) for i in differ)]) for key in keys}


def _rounded(estimate: Estimate | None) -> float:
    """To a millionth, which no set of images resolves: sums in another order are equal."""
    return float("-inf") if estimate is None else round(estimate.value, 6)
