"""Attacks that take a whole batch at one epsilon, round after round.

Every task starts anew here. So no sample is attacked twice at one epsilon: what the schedule has
attacked, the audit is told; what was inferred, it attacks. While samples are bisected, it does so
in batches with others: alone, ten samples take as many calls of the network as a hundred do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from robustbench_cli.evaluation.algorithms.union import Union
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import Outcome, Task

from .attempts import Attempt, attempts
from .members import member_attempts
from .schedules import Bisect, Schedule


def run_rounds(chunk: Chunk, todo: Iterable[int], schedule: Schedule) -> None:
    """Attack the positions `todo` until the schedule has no task left."""
    waiting: dict[tuple[bool, int], list[Task]] = {}  # by whether they stay apart, and row
    audits: dict[int, list[Task]] = {}  # by position, until the schedule is through with it
    known: dict[tuple[int, int], Outcome] = {}  # by position and row

    def add(tasks: Iterable[Task]) -> None:
        for task in tasks:
            if outcome := known.get((task.position, task.row)):
                add(schedule.told(task, outcome))
            else:
                apart = task.again and not isinstance(schedule, Bisect)
                waiting.setdefault((apart, task.row), []).append(task)

    def asked(key: tuple[bool, int]) -> tuple[int, int, int]:
        return sum(not task.again for task in waiting[key]), len(waiting[key]), -key[1]

    for position in todo:
        tasks = schedule.begin(position)
        audits[position] = [task for task in tasks if task.again]
        add(task for task in tasks if not task.again)
    while waiting:
        _, row = key = max(waiting, key=asked)
        here = {task.position: task for task in waiting.pop(key)}
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
