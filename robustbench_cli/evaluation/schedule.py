"""Which sample is attacked at which epsilon, and what was found.

- ascending: from the smallest ball to the largest; a sample that is broken lies broken in every
  larger ball and is not attacked again.
- independent: every sample at every epsilon, the raw curve. One-step attacks always do this.
- A minimal-norm attack runs once, and its distances answer for every epsilon.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .attack import Attack
from .ball import inside
from .plan import Chunk
from .verify import Verdict, verify

Schedule = Literal["ascending", "independent"]


@dataclass
class Findings:
    """Arrays (epsilons, n), as the columns of `Evaluation.samples`; and what went wrong."""

    prediction: np.ndarray
    distance: np.ndarray
    attacked: np.ndarray
    rejected: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def unattacked(cls, clean: np.ndarray, epsilons: int) -> Findings:
        shape = epsilons, len(clean)
        return cls(np.tile(clean, (epsilons, 1)), np.full(shape, np.nan), np.zeros(shape, bool))

    def as_dict(self) -> dict[str, Any]:
        arrays = {k: getattr(self, k).tolist() for k in ("prediction", "distance", "attacked")}
        return {**arrays, "rejected": self.rejected, "failed": self.failed}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Findings:
        return cls(
            np.array(stored["prediction"], dtype=np.int64),
            np.array(stored["distance"], dtype=np.float64),
            np.array(stored["attacked"], dtype=bool),
            stored["rejected"],
            stored["failed"],
        )


class Attempt(NamedTuple):
    """One batch at one epsilon, crafted and checked."""

    row: int  # of the epsilons
    where: np.ndarray  # positions in the chunk
    failed: dict[int, str]
    verdict: Verdict


def effective(attack: Attack, schedule: Schedule) -> str:
    """What really happens: one-step and minimal-norm attacks have a schedule of their own."""
    if not attack.budget:
        return "once"
    return "independent" if attack.one_step else schedule


def run_chunk(chunk: Chunk, schedule: str) -> Findings:
    """Attack; samples that are misclassified without any perturbation are left alone."""
    found = Findings.unattacked(chunk.clean.cpu().numpy(), len(chunk.plan.epsilons))
    todo = (chunk.clean == chunk.samples.labels).nonzero()[:, 0]
    rows = [row for row, eps in enumerate(chunk.plan.epsilons) if eps.value > 0]
    if len(todo) and rows:
        {"ascending": _ascending, "independent": _independent, "once": _once}[schedule](
            chunk, todo, rows, found
        )
    return found


def _ascending(chunk: Chunk, todo: Tensor, rows: list[int], found: Findings) -> None:
    for row in rows:
        for column in (found.prediction, found.distance):
            column[row] = column[max(row - 1, 0)]  # what is broken stays broken
        for attempt in attempts(chunk, todo, [row]):
            _record(chunk, attempt, found)
        still = found.prediction[row] == chunk.clean.cpu().numpy()
        todo = todo[torch.from_numpy(still).to(todo.device)[todo]]
        chunk.tick(row)


def _independent(chunk: Chunk, todo: Tensor, rows: list[int], found: Findings) -> None:
    for group in [rows] if chunk.plan.attack.one_step else [[row] for row in rows]:
        for attempt in attempts(chunk, todo, group):
            _record(chunk, attempt, found)
        chunk.tick(group[-1])


def _once(chunk: Chunk, todo: Tensor, rows: list[int], found: Findings) -> None:
    for attempt in attempts(chunk, todo, [-1]):
        verdict, clean = attempt.verdict, chunk.clean.cpu().numpy()[attempt.where]
        nearest = torch.from_numpy(np.where(verdict.adversarial, verdict.distance, np.nan))
        for row in rows:
            held = inside(nearest, float(chunk.plan.epsilons[row])).numpy()
            found.prediction[row, attempt.where] = np.where(held, verdict.prediction, clean)
            found.distance[row, attempt.where] = nearest
            found.attacked[row, attempt.where] = True
        _list(chunk, attempt, found)
        missed = set((~verdict.adversarial).nonzero()[0].tolist())
        for i in sorted(missed - attempt.failed.keys() - verdict.rejected.keys()):
            reason = "found no adversarial at any distance"
            found.failed.append({"index": chunk.first + int(attempt.where[i]), "reason": reason})
    chunk.tick(rows[-1])


def _record(chunk: Chunk, attempt: Attempt, found: Findings) -> None:
    row, where, _, verdict = attempt
    broken = where[verdict.adversarial]
    found.attacked[row, where] = True
    found.prediction[row, broken] = verdict.prediction[verdict.adversarial]
    found.distance[row, broken] = verdict.distance[verdict.adversarial]
    _list(chunk, attempt, found)


def _list(chunk: Chunk, attempt: Attempt, found: Findings) -> None:
    eps = {"eps": chunk.plan.epsilons[attempt.row].text} if attempt.row >= 0 else {}
    for entries, reasons in (
        (found.rejected, attempt.verdict.rejected),
        (found.failed, attempt.failed),
    ):
        for i, reason in sorted(reasons.items()):
            index = chunk.first + int(attempt.where[i])
            entries.append({"index": index, **eps, "reason": reason})


def attempts(chunk: Chunk, todo: Tensor, rows: Sequence[int]) -> Iterator[Attempt]:
    """Craft and verify the samples at `todo`, batch by batch; row -1 stands for no epsilon."""

    def work(part: slice) -> list[Attempt]:
        where = todo[part]
        batch = chunk.samples[where]
        found = []
        for row, eps, crafted in chunk.craft(batch, part.start, rows):
            verdict = verify(
                chunk.network,
                batch,
                crafted.images,
                norm=chunk.plan.attack.norm,
                eps=eps,
                claimed=crafted.claimed,
            )
            found.append(Attempt(row, where.cpu().numpy(), crafted.failed, verdict))
        return found

    for found in chunk.plan.batches.map(len(todo), work):
        yield from found
