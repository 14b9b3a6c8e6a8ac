"""Which readings of a file remain possible, and whether it matters which of them is taken.

A guess may not decide a number in silence. Clean accuracy rules a reading out only where it makes
clearly more mistakes than the best one, beyond chance: adversarially trained networks gain from
more contrast than they were trained with, so that their training loss, and a small lead in
accuracy, say nothing. What is left matters unless an attack finds the same under all of it.

Everything here is plain data, so that a run can write it down and a check can read it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from robustbench_cli.statistics import intervals
from robustbench_cli.statistics.intervals import half_width
from robustbench_cli.statistics.paired import mcnemar

Right = NDArray[np.bool_]
"""(N,) whether each probe is classified as labelled."""

SURE = 1e-4
"""Two readings are told apart below this p (exact McNemar test on the same images)."""
ODDS = 4 / 3
"""... and where the odds of a mistake rise by this factor.

In ``tests/benchmarks/foreign_networks.py`` no wrong reading beats the truth by more than 1.03.
"""
_LISTED = 5  # readings in a question
_ORDERED = 0.5
"""Images right, at least, for an order to be one; a random network gets to 0.3 of easy ones."""


@dataclass(frozen=True)
class Seen:
    """A reading: what is typed to choose it, and how many of the probes are right under it."""

    option: str
    right: int
    of: int
    possible: bool

    @property
    def share(self) -> float:
        return self.right / self.of


CLEAN = "no attack"


@dataclass(frozen=True)
class Judged:
    """What a short attack leaves under each possible reading, in their order.

    `n`: of how many images the number will be that is printed; `attacked`: images attacked here.
    The clean accuracy is a number, too: `CLEAN` is the attack that changes nothing.
    """

    norm: str
    eps: str
    n: int
    attack: str
    attacked: int
    accuracy: tuple[float, ...]

    @property
    def gap(self) -> float:
        """The largest difference from the first."""
        return max(abs(each - self.accuracy[0]) for each in self.accuracy)

    @property
    def clean(self) -> bool:
        return self.attack == CLEAN

    @property
    def tie(self) -> bool:
        """Whether every reading stays within the interval of the number."""
        return self.gap <= half_width(self.accuracy[0], self.n)


@dataclass(frozen=True)
class Guess:
    """The readings, the chosen one first and then what else is possible, and what was attacked.

    `insisted`: the user asked for the likeliest, whatever it costs.
    """

    readings: tuple[Seen, ...]
    judged: tuple[Judged, ...]
    insisted: bool = False

    @property
    def possible(self) -> tuple[Seen, ...]:
        return tuple(each for each in self.readings if each.possible)

    @property
    def matters(self) -> Judged | None:
        """Where the possible readings differ most, if that is more than the interval.

        Clean accuracy counts where no attack tells them apart.
        """
        open_ = [each for each in self.judged if not each.tie]
        return max(open_, key=lambda each: (not each.clean, each.gap)) if open_ else None

    def question(self) -> str:
        """One line: what each possible reading gives, and what to type."""
        split = self.matters
        assert split is not None
        words = (f" of {self.possible[0].of} training images right", f" after {split.attack}")
        listed = []
        for each, left in zip(self.possible, split.accuracy, strict=True):
            attacked = "" if split.clean else f", {left:.1%}{words[1]}"
            listed.append(f"{each.option}: {each.share:.1%}{words[0]}{attacked}")
            words = ("", "")
        more = f"; or {len(listed) - _LISTED} others" if len(listed) > _LISTED else ""
        decides = "clean accuracy" if split.clean else f"accuracy at {split.eps}"
        return (
            f"how it sees images is not said, and decides {decides}; type "
            f"{'; or '.join(listed[:_LISTED])}{more}; or --normalise guess for the first"
        )

    def why(self) -> str:
        """What the choice rests on, in brackets behind it."""
        first, *others = self.readings
        reason = f"{first.share:.1%} of {first.of} training images right"
        if not others:
            return reason
        other = re.sub(r"^--(model|normalise) ", "", others[0].option)
        reason += f"; {other} {others[0].share:.1%}"
        if not others[0].possible or not self.judged:
            return reason
        most = self.matters or max(self.judged, key=lambda each: (not each.clean, each.gap))
        listed = " and ".join(f"{share:.1%}" for share in most.accuracy)
        matters = "which matters" if self.matters else "which does not matter"
        after = "" if most.clean else f" after {most.attack} at {most.eps}"
        return f"{reason}, {matters}: {listed}{after}"

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        judged = [{**asdict(each), "accuracy": [*each.accuracy]} for each in self.judged]
        readings = [asdict(each) for each in self.readings]
        return {"insisted": self.insisted, "readings": readings, "judged": judged}


def possible(right: Sequence[Right]) -> list[int]:
    """Which readings remain, by number, likeliest first; of equals the earlier one.

    `right`: of each reading on the same images, or on the first of them where it is out already.
    """
    seen = max(len(each) for each in right)
    order = sorted(range(len(right)), key=lambda i: (len(right[i]) < seen, -right[i].mean()))
    best = right[order[0]]
    return [i for i in order if not _worse(right[i], best[: len(right[i])])]


def surpasses(one: Right, other: Right) -> bool:
    """Whether `one` makes clearly fewer mistakes on the same images."""
    return bool(one.sum() > other.sum()) and _worse(other, one)


def ahead(one: Right, other: Right) -> bool:
    """Whether `one` is right more often, beyond chance, be it by ever so little."""
    n = min(len(one), len(other))
    return bool(one[:n].sum() > other[:n].sum()) and mcnemar(one[:n], other[:n]) < SURE


def _worse(right: Right, best: Right) -> bool:
    return _odds(right) >= ODDS * _odds(best) and mcnemar(right, best) < SURE


def _odds(right: Right) -> float:
    """Of a mistake; half a sample more on each side, so that it is finite."""
    wrong = int((~right).sum())
    return (wrong + 0.5) / (len(right) - wrong + 0.5)


def near_chance(right: Right, classes: int) -> bool:
    """Whether it may as well draw lots."""
    return intervals.near_chance(int(right.sum()), len(right), classes)


def other_order(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int, best: Right
) -> tuple[dict[int, int], float] | None:
    """Which output stands for which class, where another order is surely better than `best`.

    Returns the outputs that move, as output -> class, and the accuracy then. The order is sought on
    one half of the images and judged on the other, so that chance finds none. What classifies
    nothing has an order, too, under which it is right a little more often: that is none.
    """
    half = len(predicted) // 2
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (predicted[:half], labels[:half]), 1)
    _, meant = linear_sum_assignment(counts, maximize=True)
    would = meant[predicted[half:]] == labels[half : len(predicted)]
    was = best[half : len(predicted)]
    if would.sum() <= was.sum() or not _worse(was, would):
        return None
    if near_chance(best, classes) and would.mean() < _ORDERED:
        return None
    moved = {output: int(to) for output, to in enumerate(meant) if output != to}
    return moved, float(would.mean())
