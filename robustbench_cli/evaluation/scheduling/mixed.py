"""Attacks that take a whole batch, with an epsilon of its own for each of its samples.

While samples are bisected, every one of them asks for another epsilon. One epsilon after another
would make many small batches, which cost nearly as much time as full ones.

What comes of a task is a function of the seed, the attack, the sample and its epsilon: random
numbers are drawn for each sample (`chance.py`), and what is drawn for the whole batch does not
depend on who is in it. The audit draws others, as a second look would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from robustbench_cli.device import seed_everything
from robustbench_cli.evaluation.attack import Mixing
from robustbench_cli.evaluation.chance import Streams
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import Outcome, Task

from .attempts import Attempt, judged
from .draws import lane_seed
from .schedules import Schedule


def run_mixed(chunk: Chunk, todo: Sequence[int], schedule: Schedule) -> None:
    """Attack the positions `todo` until the schedule has no task left.

    Largest balls first: what breaks there is soon over, and goes on to smaller ones, where it fills
    up the batches of those who wait.
    """
    seed_everything(chunk.plan.seed, chunk.first)  # for networks that draw random numbers
    waiting, ended = [task for i in todo for task in schedule.begin(i)], 0
    while waiting:
        waiting.sort(key=lambda task: task.row)
        size = chunk.plan.batches.size
        tasks, waiting = waiting[-size:], waiting[:-size]
        for task, outcome in _attacked(chunk, tasks):
            waiting += schedule.told(task, outcome)
        ended += len(tasks)
        chunk.tell(ended / (ended + len(waiting) + 1), "")


def _attacked(chunk: Chunk, tasks: Sequence[Task]) -> list[tuple[Task, Outcome]]:
    def work(part: slice) -> list[Outcome]:
        return [outcome for _, outcome in _attempt(chunk, tasks[part]).outcomes()]

    found = chunk.plan.batches.map(len(tasks), work)
    return list(zip(tasks, (outcome for part in found for outcome in part), strict=True))


def _attempt(chunk: Chunk, tasks: Sequence[Task]) -> Attempt:
    plan, device = chunk.plan, chunk.samples.x.device
    attack = plan.attack
    assert isinstance(attack, Mixing)
    where = torch.tensor([task.position for task in tasks])
    radii = [float(plan.epsilons[task.row]) for task in tasks]
    eps = torch.tensor(radii, dtype=torch.float64)
    seeds = torch.tensor([_seed(chunk, task) for task in tasks]).to(device, non_blocking=True)
    batch = chunk.samples[where.to(device, non_blocking=True)]
    batch = replace(batch, chance=Streams(seeds, lane_seed(plan.seed, str(attack))))
    crafted = attack.craft(chunk.model, batch, eps)
    return Attempt(-1, where.numpy(), crafted.failed, judged(chunk, batch, crafted, eps))


def _seed(chunk: Chunk, task: Task) -> int:
    plan, index = chunk.plan, chunk.first + task.position
    eps = plan.epsilons[task.row].value
    return lane_seed(plan.seed, str(plan.attack), index, eps, task.again)
