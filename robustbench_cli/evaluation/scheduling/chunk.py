"""Which sample is attacked at which epsilon, and what was found.

- ascending: from the smallest ball to the largest; a sample that is broken lies broken in every
  larger ball and is not attacked again.
- independent: every sample at every epsilon, the raw curve. One-step attacks always do this.
- bisect: for each sample, the interval of epsilons in which it breaks is cut until it is one step
  of the grid. What was not attacked is inferred: broken above, withstood below.
- A minimal-norm attack runs once, and its distances answer for every epsilon.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from robustbench_cli.evaluation.algorithms.descent import steps_alone
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import Findings
from robustbench_cli.evaluation.verification.ball import inside

from .lanes import run_lanes
from .rounds import attempts, run_rounds
from .schedules import Ascending, Bisect, Course, Independent

Schedule = Literal["ascending", "independent", "bisect"]
SCHEDULES: tuple[str, ...] = get_args(Schedule)

_COURSES: dict[str, type[Course]] = {
    "ascending": Ascending,
    "independent": Independent,
    "bisect": Bisect,
}


def effective(attack: Attack, schedule: Schedule) -> str:
    """What really happens: one-step and minimal-norm attacks have a schedule of their own."""
    if not attack.budget:
        return "once"
    return "independent" if attack.one_step else schedule


def audit_size(schedule: str, samples: int, wanted: int | None = None) -> int:
    """How many samples are attacked at every epsilon as if there were no other.

    By default a twentieth, at least 10; with bisection, which saves most of the work that an audit
    does, one in 200, at least 3. From some hundred samples on that costs under a tenth.
    """
    if schedule not in ("ascending", "bisect"):
        return 0
    share, least = (20, 10) if schedule == "ascending" else (200, 3)
    return min(samples, max(samples // share, least) if wanted is None else wanted)


def draw_audit(size: int, samples: int, seed: int) -> np.ndarray:
    """The audited samples, ascending; a function of `seed`."""
    return np.sort(np.random.default_rng([seed, 3]).choice(samples, size, replace=False))


def run_chunk(chunk: Chunk, schedule: str, audited: np.ndarray) -> Findings:
    """Attack; samples that are misclassified without any perturbation are left alone.

    `audited`: indices of samples, of this chunk or others.
    """
    found = Findings.unattacked(chunk.clean.cpu().numpy(), len(chunk.plan.epsilons))
    right = chunk.clean == chunk.samples.labels
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
        course = _COURSES[schedule](chunk, rows, found, frozenset(here))
        run = run_lanes if steps_alone(chunk.plan.attack) else run_rounds
        run(chunk, todo.tolist(), course)
    return found


def _raw(chunk: Chunk, todo: Tensor, rows: list[int], found: Findings) -> None:
    """All epsilons of a batch together."""
    course = Independent(chunk, rows, found)
    tasks = {(task.position, task.row): task for i in todo.tolist() for task in course.begin(i)}
    for attempt in attempts(chunk, todo, rows):
        for position, outcome in attempt.outcomes():
            course.told(tasks[position, attempt.row], outcome)
    chunk.tick(rows[-1])


def _once(chunk: Chunk, todo: Tensor, rows: list[int], found: Findings) -> None:
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
