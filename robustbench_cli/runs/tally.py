"""The counts behind every accuracy: what a table needs of an evaluation, without its rows.

A record carries them so that a report over thousands of runs reads no table of rows. They follow
from the rows by `count`, are worth nothing beside other rows, and are never believed against them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan, nan
from typing import Any, Self

import pandas as pd


@dataclass(frozen=True)
class Tally:
    """Counts of samples; tuples have one entry per epsilon, in order.

    n: samples. images: a digest of their indices. clean: right when unchanged. answers: how many
    classes the network gave to unchanged images. right: still right at each epsilon. distance: the
    median of the verified perturbations; NaN where there is none. moved: whether a prediction at
    epsilon 0 is not the clean one. targeted: whether the attack aimed at classes. aimed: if so, the
    samples whose label is not the class aimed at. reached: of these, those that are taken for the
    class aimed at when unchanged, and at each epsilon; empty if it did not aim. transferred: (rows,
    right; rows, right among the images that source and target both classify correctly) of
    adversarials of another network.
    """

    n: int
    images: str
    clean: int
    answers: int
    right: tuple[int, ...]
    distance: tuple[float, ...]
    moved: bool
    targeted: bool
    transferred: tuple[tuple[int, int, int, int], ...] = ()
    aimed: int = 0
    reached: tuple[int, ...] = ()

    @classmethod
    def read(cls, document: Mapping[str, Any], epsilons: int) -> Self:
        """From a record, for as many epsilons.

        Raises:
            KeyError, TypeError, ValueError: not what `document` below writes.
        """
        aims = bool(document["targeted"])
        tally = cls(
            n=int(document["n"]),
            images=str(document["images"]),
            clean=int(document["clean"]),
            answers=int(document["answers"]),
            right=tuple(map(int, document["right"])),
            distance=tuple(nan if d is None else float(d) for d in document["distance"]),
            moved=bool(document["moved"]),
            targeted=aims,
            aimed=int(document["aimed"]) if aims else 0,  # early records lack it
            reached=tuple(map(int, document["reached"])) if aims else (),
            transferred=tuple(
                (int(a), int(b), int(c), int(d)) for a, b, c, d in document["transferred"]
            ),
        )
        if not len(tally.right) == len(tally.distance) == epsilons:
            raise ValueError("counts of another grid")
        if not 0 <= max(tally.clean, *tally.right, 0) <= tally.n or not tally.n:
            raise ValueError("more right than there are")
        if not 0 <= max(tally.aimed, *tally.reached, 0) <= tally.n:
            raise ValueError("more reached than there are")
        return tally

    @property
    def document(self) -> dict[str, Any]:
        """For JSON, which has no NaN."""
        return {**asdict(self), "distance": [None if isnan(d) else d for d in self.distance]}


def count(samples: pd.DataFrame, correct: pd.DataFrame, zero: Sequence[str]) -> Tally:
    """From the rows of an evaluation, and `Evaluation.correct`, whose columns are the epsilons.

    zero: those epsilons that are 0, as text.
    """
    first = samples.drop_duplicates("index")
    medians = samples.groupby("eps")["distance"].median()
    aimed, reached = reach(samples, list(correct.columns))
    at_zero = samples[samples["eps"].isin(zero)]
    return Tally(
        n=int(samples["index"].nunique()),
        images=_mark(correct.index),
        clean=int((first["clean"] == first["label"]).sum()),
        answers=int(first["clean"].nunique()),
        right=tuple(int(right) for right in correct.sum()),
        distance=tuple(float(medians[eps]) for eps in correct.columns),
        moved=bool((at_zero["prediction"] != at_zero["clean"]).any()),
        targeted="target" in samples,
        aimed=aimed,
        reached=reached,
        transferred=_transferred(samples, list(correct.columns)),
    )


def reach(samples: pd.DataFrame, epsilons: Sequence[str]) -> tuple[int, tuple[int, ...]]:
    """`Tally.aimed` and `Tally.reached`; nothing where no classes were aimed at."""
    if "target" not in samples:
        return 0, ()
    others = samples[samples["label"] != samples["target"]]
    hit = (others["prediction"] == others["target"]).groupby(others["eps"]).sum()
    first = others.drop_duplicates("index")
    clean = int((first["clean"] == first["target"]).sum())
    return len(first), (clean, *(int(hit.get(eps, 0)) for eps in epsilons))


def _mark(index: pd.Index) -> str:
    """The same for the same samples, in whatever order."""
    text = ",".join(map(str, sorted(index.tolist())))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _transferred(
    samples: pd.DataFrame, epsilons: Sequence[str]
) -> tuple[tuple[int, int, int, int], ...]:
    if "source_clean" not in samples:
        return ()
    right = samples["prediction"] == samples["label"]
    clean = samples["clean"] == samples["label"]
    both = clean & (samples["source_clean"] == samples["label"])
    table = pd.DataFrame({"eps": samples["eps"], "right": right, "both": both})
    found = []
    for eps in epsilons:
        here = table[table["eps"] == eps]
        kept = here.loc[here["both"], "right"]
        found.append((len(here), int(here["right"].sum()), len(kept), int(kept.sum())))
    return tuple(found)
