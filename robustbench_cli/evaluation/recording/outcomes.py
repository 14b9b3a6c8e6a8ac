"""What was found out about the samples of one chunk, and how it is kept on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor


class Task(NamedTuple):
    """One sample to be attacked at one epsilon.

    `again`: only the audit wants to know; the verdict stands already, or comes from elsewhere.
    """

    position: int  # in the chunk
    row: int  # of the epsilons
    again: bool = False
    start: Tensor | None = None  # (C, H, W), an adversarial of a larger ball to start from


class Outcome(NamedTuple):
    """What came of a task, after verification."""

    adversarial: bool
    prediction: int = -1
    distance: float = float("nan")
    image: Tensor | None = None  # (C, H, W), where the attack can go on from it
    rejected: str = ""  # why a claim does not count
    failed: str = ""  # why the attack could not try
    member: str = ""  # of a union, that found it


ARRAYS = "prediction", "distance", "attacked", "member"
COSTS = "forwards", "backwards", "seconds"


@dataclass
class Outcomes:
    """Arrays (epsilons, n), as the columns of `Evaluation.samples`; and what went wrong.

    member, members: of a union, which member broke a sample, "" where none did; and, an entry for
    each epsilon and member, what it tried, broke and cost.

    audit: for each audited sample, by index, whether it withstood each epsilon when that was
    attacked independently of all others.
    """

    prediction: np.ndarray
    distance: np.ndarray
    attacked: np.ndarray
    member: np.ndarray
    rejected: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    audit: dict[int, list[bool]] = field(default_factory=dict)
    members: list[dict[str, Any]] = field(default_factory=list)
    earlier: list[dict[str, float]] = field(default_factory=list)  # costs, before a kill

    @classmethod
    def unattacked(cls, clean: np.ndarray, epsilons: int) -> Outcomes:
        shape = epsilons, len(clean)
        return cls(
            np.tile(clean, (epsilons, 1)),
            np.full(shape, np.nan),
            np.zeros(shape, bool),
            np.full(shape, "", object),
        )

    def as_dict(self) -> dict[str, Any]:
        arrays = {k: getattr(self, k).tolist() for k in ARRAYS}
        audit = [[index, *right] for index, right in sorted(self.audit.items())]
        lists = {k: getattr(self, k) for k in ("rejected", "failed", "members", "earlier")}
        return {**arrays, **lists, "audit": audit}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Outcomes:
        return cls(
            np.array(stored["prediction"], dtype=np.int64),
            np.array(stored["distance"], dtype=np.float64),
            np.array(stored["attacked"], dtype=bool),
            np.array(stored["member"], dtype=object),
            stored["rejected"],
            stored["failed"],
            {int(index): right for index, *right in stored["audit"]},
            stored["members"],
        )

    def note(self, index: int, eps: str, outcome: Outcome) -> None:
        """List what is wrong with a sample, if anything is."""
        for entries, reason in ((self.rejected, outcome.rejected), (self.failed, outcome.failed)):
            if reason:
                entries.append({"index": index, "eps": eps, "reason": reason})
