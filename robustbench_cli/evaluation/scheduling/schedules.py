"""Schedules, sample by sample: which epsilon comes next, and what the last one said.

- ascending: from the smallest ball to the largest; a sample that is broken lies broken in every
  larger ball and is not attacked again.
- independent: every sample at every epsilon, the raw curve. One-step attacks always do this.
- bisect: for each sample, the interval of epsilons in which it breaks is cut until it is one step
  of the grid. What was not attacked is inferred: broken above, withstood below.
- auto: bisect, unless a larger audit contradicts what was inferred; then ascending. A network that
  draws random numbers, a single epsilon, or what shall not be audited, is attacked in ascending
  order at once.
- A minimal-norm attack runs once, and its distances answer for every epsilon.

Whatever the schedule, an audited sample is attacked at every epsilon as if there were no other,
so that accuracy that rises with epsilon stays visible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from robustbench_cli.epsilon import Eps
from robustbench_cli.evaluation.algorithms.descent import steps_alone
from robustbench_cli.evaluation.algorithms.union import Union
from robustbench_cli.evaluation.algorithms.wrapping import Wrapping
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.mixing import Mixing
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import Outcome, Outcomes, Task

ScheduleName = Literal["auto", "ascending", "independent", "bisect"]


def effective(attack: Attack, schedule: ScheduleName, epsilons: Iterable[Eps]) -> str:
    """What really happens: one-step and minimal-norm attacks have a schedule of their own.

    What ``auto`` comes to, where there is something to choose, is known after its audit.
    """
    if not attack.budget:
        return "once"
    if attack.one_step:
        return "independent"
    alone = len({eps.value for eps in epsilons if eps.value}) < 2
    return "ascending" if schedule == "auto" and alone else schedule


@dataclass
class Schedule:
    """The common part: `rows` are the epsilons above 0, ascending; `audited` are positions."""

    chunk: Chunk
    rows: Sequence[int]
    found: Outcomes
    audited: frozenset[int] = frozenset()

    def begin(self, position: int) -> list[Task]:
        raise NotImplementedError

    def told(self, task: Task, outcome: Outcome) -> list[Task]:
        """Keep what came of a task; the tasks that follow from it."""
        raise NotImplementedError

    def keep(self, task: Task, outcome: Outcome, *, upwards: bool) -> None:
        """`upwards`: what is broken is broken in every larger ball, too."""
        position, row, found = task.position, task.row, self.found
        found.attacked[row, position] = True
        if outcome.adversarial:
            held = slice(row, None if upwards else row + 1)
            found.prediction[held, position] = outcome.prediction
            found.distance[held, position] = outcome.distance
            found.member[held, position] = outcome.member
        found.note(self.chunk.first + position, self.chunk.plan.epsilons[row].text, outcome)

    def witness(self, task: Task, outcome: Outcome) -> None:
        """Write the audit of a sample."""
        if task.position in self.audited:
            grid = self.chunk.plan.epsilons
            index = self.chunk.first + task.position
            right = self.found.audit.setdefault(index, [True] * len(grid))
            right[task.row] = not outcome.adversarial


@dataclass
class Ascending(Schedule):
    """From the smallest ball up, until it breaks; an audited sample goes on."""

    def begin(self, position: int) -> list[Task]:
        return [Task(position, self.rows[0])]

    def told(self, task: Task, outcome: Outcome) -> list[Task]:
        self.witness(task, outcome)
        if not task.again:
            self.keep(task, outcome, upwards=True)
        broken = task.again or outcome.adversarial
        higher = self.rows[self.rows.index(task.row) + 1 :]
        if not higher or (broken and task.position not in self.audited):
            return []
        return [Task(task.position, higher[0], again=broken)]


@dataclass
class Independent(Schedule):
    """Every sample at every epsilon."""

    def begin(self, position: int) -> list[Task]:
        return [Task(position, row) for row in self.rows]

    def told(self, task: Task, outcome: Outcome) -> list[Task]:
        self.keep(task, outcome, upwards=False)
        return []


@dataclass
class Bisect(Schedule):
    """The largest ball first, then the interval in which a sample breaks, smaller and smaller.

    A ball that holds an adversarial costs most attacks few steps: a sample leaves with its first
    one, or starts from that of a larger ball. One that holds none costs all of them, so the
    interval is cut near its upper end; in the middle where every ball costs as much. That a ball
    was withstood from such a start alone does not count: where the interval ends on it, it is
    attacked from a start of its own.
    """

    low: dict[int, int] = field(default_factory=dict)  # largest known to be withstood
    floor: dict[int, int] = field(default_factory=dict)  # the same, from a start of its own
    high: dict[int, int] = field(default_factory=dict)  # smallest known to be broken
    nearest: dict[int, Tensor] = field(default_factory=dict)

    def begin(self, position: int) -> list[Task]:
        self.low[position] = self.floor[position] = -1
        self.high[position] = len(self.rows)
        again = [Task(position, row, again=True) for row in self.rows]
        audit = again if position in self.audited else []
        return [Task(position, self.rows[-1]), *audit]

    def told(self, task: Task, outcome: Outcome) -> list[Task]:
        if task.again:
            self.witness(task, outcome)
            return []
        self.keep(task, outcome, upwards=True)
        position, row = task.position, self.rows.index(task.row)
        if outcome.adversarial:
            self.high[position] = row
            if row <= self.low[position]:  # the start was what withstood it
                self.low[position] = self.floor[position]
            if outcome.image is not None:
                self.nearest[position] = outcome.image.clone()
        else:
            self.low[position] = row
            if task.start is None:
                self.floor[position] = row
        low, high = self.low[position], self.high[position]
        if high - low > 1:
            cut = high - max(1, (high - low) // _parts(self.chunk.plan.attack))
            return [Task(position, self.rows[cut], start=self.nearest.get(position))]
        if low > self.floor[position]:
            return [Task(position, self.rows[low])]
        self.nearest.pop(position, None)
        return []


def _parts(attack: Attack) -> int:
    """Bisection cuts the interval one so-many-th below its upper end."""
    inner = attack.inner if isinstance(attack, Wrapping) else attack
    return 4 if steps_alone(attack) or isinstance(inner, Mixing | Union) else 2


SCHEDULES: dict[str, type[Schedule]] = {
    "ascending": Ascending,
    "independent": Independent,
    "bisect": Bisect,
}
