"""Attacks that take a whole batch at one epsilon, round after round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import Outcome, Task
from robustbench_cli.evaluation.verification.verify import Verdict, verify

from .schedules import Schedule


class Attempt(NamedTuple):
    """One batch at one epsilon, crafted and checked."""

    row: int  # of the epsilons
    where: np.ndarray  # positions in the chunk
    failed: dict[int, str]
    verdict: Verdict

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """Position in the chunk, and what came of it."""
        verdict = self.verdict
        for i, position in enumerate(self.where.tolist()):
            yield (
                position,
                Outcome(
                    bool(verdict.adversarial[i]),
                    int(verdict.prediction[i]),
                    float(verdict.distance[i]),
                    rejected=verdict.rejected.get(i, ""),
                    failed=self.failed.get(i, ""),
                ),
            )


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
            if not chunk.exact:
                verdict = _pardoned(verdict)
            found.append(Attempt(row, where.cpu().numpy(), crafted.failed, verdict))
        return found

    for found in chunk.plan.batches.map(len(todo), work):
        yield from found


def run_rounds(chunk: Chunk, todo: Iterable[int], schedule: Schedule) -> None:
    """Attack the positions `todo` until the schedule has no task left."""
    waiting: dict[tuple[bool, int], list[Task]] = {}

    def add(tasks: Iterable[Task]) -> None:
        for task in tasks:
            waiting.setdefault((task.again, task.row), []).append(task)

    for position in todo:
        add(schedule.begin(position))
    while waiting:
        again, row = max(waiting, key=lambda key: (len(waiting[key]), -key[1]))
        tasks = {task.position: task for task in waiting.pop((again, row))}
        places = torch.tensor(sorted(tasks), device=chunk.clean.device)
        for attempt in attempts(chunk, places, [row]):
            for position, outcome in attempt.outcomes():
                add(schedule.told(tasks[position], outcome))
        chunk.tick(row)


def _pardoned(verdict: Verdict) -> Verdict:
    """A sound image that only the copy took for adversarial is no news."""
    kept = {i: why for i, why in verdict.rejected.items() if verdict.prediction[i] < 0}
    return replace(verdict, rejected=kept)
