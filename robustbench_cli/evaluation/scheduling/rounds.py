"""Attacks that take a whole batch at one epsilon, round after round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from robustbench_cli.evaluation.algorithms.union import Union
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import Task

from .attempts import Attempt, attempts
from .members import member_attempts
from .schedules import Schedule


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
        for attempt in _attempts(chunk, places, row, schedule, again=again):
            for position, outcome in attempt.outcomes():
                add(schedule.told(tasks[position], outcome))
        chunk.tick(row)


def _attempts(
    chunk: Chunk, places: Tensor, row: int, schedule: Schedule, *, again: bool
) -> Iterator[Attempt]:
    if isinstance(chunk.plan.attack, Union):
        return member_attempts(chunk, places, row, schedule.found, again=again)
    return attempts(chunk, places, [row])
