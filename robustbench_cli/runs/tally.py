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

import numpy as np
import pandas as pd
from numpy.typing import NDArray


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
    column = correct.columns.get_indexer(pd.Index(samples["eps"]))
    _, first = np.unique(samples["index"].to_numpy(), return_index=True)
    clean, label = samples["clean"].to_numpy(), samples["label"].to_numpy()
    distance = samples["distance"].to_numpy()
    moved = samples["prediction"].to_numpy() != clean
    aimed, reached = reach(samples, list(correct.columns))
    return Tally(
        n=len(first),
        images=_mark(correct.index),
        clean=int((clean[first] == label[first]).sum()),
        answers=len(np.unique(clean[first])),
        right=tuple(correct.to_numpy().sum(0).tolist()),
        distance=tuple(_median(distance[column == k]) for k in range(len(correct.columns))),
        moved=bool(moved[np.isin(column, correct.columns.get_indexer(pd.Index(zero)))].any()),
        targeted="target" in samples,
        aimed=aimed,
        reached=reached,
        transferred=_transferred(samples, column, len(correct.columns)),
    )


def _median(distance: NDArray[Any]) -> float:
    found = distance[~np.isnan(distance)]
    return float(np.median(found)) if len(found) else nan


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
    samples: pd.DataFrame, column: NDArray[np.intp], epsilons: int
) -> tuple[tuple[int, int, int, int], ...]:
    if "source_clean" not in samples:
        return ()
    label = samples["label"].to_numpy()
    right = samples["prediction"].to_numpy() == label
    both = (samples["clean"].to_numpy() == label) & (samples["source_clean"].to_numpy() == label)
    found = []
    for k in range(epsilons):
        here = column == k
        parts = here, here & right, here & both, here & both & right
        rows, kept, among, kept_among = (int(part.sum()) for part in parts)
        found.append((rows, kept, among, kept_among))
    return tuple(found)
