"""One chunk of samples, attacked by its schedule: in lanes, mixed, in rounds, or all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from robustbench_cli.evaluation.algorithms.descent import steps_alone
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.mixing import Mixing
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import Outcomes
from robustbench_cli.evaluation.verification.ball import inside

from .attempts import attempts
from .lanes import run_lanes
from .mixed import run_mixed
from .rounds import run_rounds
from .schedules import SCHEDULES, Independent, Schedule


def run_chunk(chunk: Chunk, schedule: str, audited: np.ndarray) -> Outcomes:
    """Attack; samples that are misclassified without any perturbation are left alone.

    `schedule`: what really happens (see `effective`). `audited`: indices of samples, of this chunk
    or others.
    """
    found = Outcomes.unattacked(chunk.clean.cpu().numpy(), len(chunk.plan.epsilons))
    right = chunk.clean == chunk.samples.labels
    if chunk.samples.targets is not None:  # what is of the class aimed at has nowhere to go
        right &= chunk.samples.targets != chunk.samples.labels
    todo = right.nonzero()[:, 0]
    here = [int(i) - chunk.first for i in audited if 0 <= i - chunk.first < len(right)]
    for position in here:
        withstood = bool(right[position])
        found.audit[chunk.first + position] = [withstood] * len(chunk.plan.epsilons)
    rows = [row for row, eps in enumerate(chunk.plan.epsilons) if eps.value > 0]
    if not len(todo) or not rows:
        return found
    if schedule == "once":
        _once(chunk, todo, rows, found)
    elif chunk.plan.attack.one_step:
        _raw(chunk, todo, rows, found)
    else:
        order = SCHEDULES[schedule](chunk, rows, found, frozenset(here))
        _runner(chunk.plan.attack, schedule)(chunk, todo.tolist(), order)
    return found


def _runner(attack: Attack, schedule: str) -> Callable[[Chunk, Sequence[int], Schedule], None]:
    if steps_alone(attack):
        return run_lanes
    # in any other order all samples of a batch ask for one epsilon
    mixed = schedule == "bisect" and isinstance(attack, Mixing) and attack.alone
    return run_mixed if mixed else run_rounds


def _raw(chunk: Chunk, todo: Tensor, rows: list[int], found: Outcomes) -> None:
    """All epsilons of a batch together."""
    order = Independent(chunk, rows, found)
    tasks = {(task.position, task.row): task for i in todo.tolist() for task in order.begin(i)}
    for attempt in attempts(chunk, todo, rows):
        for position, outcome in attempt.outcomes():
            order.told(tasks[position, attempt.row], outcome)
    chunk.tick(rows[-1])


def _once(chunk: Chunk, todo: Tensor, rows: list[int], found: Outcomes) -> None:
    for attempt in attempts(chunk, todo, [-1]):
        verdict, clean = attempt.verdict, chunk.clean.cpu().numpy()[attempt.where]
        nearest = torch.from_numpy(np.where(verdict.adversarial, verdict.distance, np.nan))
        for row in rows:
            held = inside(nearest, float(chunk.plan.epsilons[row])).numpy()
            found.prediction[row, attempt.where] = np.where(held, verdict.prediction, clean)
            found.distance[row, attempt.where] = nearest
            found.attacked[row, attempt.where] = True
        missed = set((~verdict.adversarial).nonzero()[0].tolist())
        reasons = dict.fromkeys(
            sorted(missed - attempt.failed.keys() - verdict.rejected.keys()),
            "found no adversarial at any distance",
        )
        for entries, why in (
            (found.rejected, verdict.rejected),
            (found.failed, attempt.failed | reasons),
        ):
            for i, reason in sorted(why.items()):
                index = chunk.first + int(attempt.where[i])
                entries.append({"index": index, "reason": reason})
    chunk.tick(rows[-1])
