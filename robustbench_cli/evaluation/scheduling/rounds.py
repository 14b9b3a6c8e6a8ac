"""Attacks that take a whole batch at one epsilon, round after round.

Every task starts anew here. So no sample is attacked twice at one epsilon: what the schedule has
attacked, the audit is told; what was inferred, it attacks, in batches with others where there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from robustbench_cli.evaluation.algorithms.union import Union
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import Outcome, Task

from .attempts import Attempt, attempts
from .members import member_attempts
from .schedules import Schedule


def run_rounds(chunk: Chunk, todo: Iterable[int], schedule: Schedule) -> None:
    """Attack the positions `todo` until the schedule has no task left."""
    waiting: dict[int, list[Task]] = {}  # by row
    audits: dict[int, list[Task]] = {}  # by position, until the schedule is through with it
    known: dict[tuple[int, int], Outcome] = {}  # by position and row

    def add(tasks: Iterable[Task]) -> None:
        for task in tasks:
            if outcome := known.get((task.position, task.row)):
                add(schedule.told(task, outcome))
            else:
                waiting.setdefault(task.row, []).append(task)

    def asked(row: int) -> tuple[int, int, int]:
        return sum(not task.again for task in waiting[row]), len(waiting[row]), -row

    for position in todo:
        tasks = schedule.begin(position)
        audits[position] = [task for task in tasks if task.again]
        add(task for task in tasks if not task.again)
    while waiting:
        row = max(waiting, key=asked)
        here = {task.position: task for task in waiting.pop(row)}
        for attempt in _attempts(chunk, here, row, schedule):
            for position, outcome in attempt.outcomes():
                known[position, row] = outcome
                add(schedule.told(here[position], outcome) or audits.pop(position, []))
        chunk.tick(row)


def _attempts(
    chunk: Chunk, here: dict[int, Task], row: int, schedule: Schedule
) -> Iterator[Attempt]:
    places = torch.tensor(sorted(here), device=chunk.clean.device)
    if isinstance(chunk.plan.attack, Union):
        again = {position for position, task in here.items() if task.again}
        return member_attempts(chunk, places, row, schedule.found, again)
    return attempts(chunk, places, [row])
