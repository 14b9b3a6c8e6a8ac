"""Continuous batching: every lane of a batch holds a sample of its own, its ball and its step.

Drives the pieces of a Foolbox gradient descent (loss, gradient, normalisation, projection, random
start), all of them with an epsilon and a step size per lane. A lane whose iterate is adversarial,
or whose steps are spent, leaves the batch, and the next task takes its place; what left is
verified in batches of its own.

A sample that withstands the attack has gone through exactly Foolbox's iterates. One that does not
has broken at its first adversarial iterate, where Foolbox looks at the last one only; a network
that draws random numbers is asked for a verdict on the last iterate alone, or it would be shown
images until a draw fails. The random start is a function of the seed, the attack, the sample, the
epsilon and the restart, and of nothing else.

Lanes live on the device. Where that is a GPU, the host enqueues several steps before it waits to
see which lanes have stopped; a lane that has stays where it is, so that no result depends on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from robustbench_cli.device import is_out_of_memory, seed_everything
from robustbench_cli.evaluation.algorithms.descent import Descent
from robustbench_cli.evaluation.chance import seed_of
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import Outcome, Task
from robustbench_cli.evaluation.verification.ball import into_ball
from robustbench_cli.evaluation.verification.verify import verify

from .schedules import Schedule
from .steps import Front, Pace, Stepper

IDLE = 1 / 8
"""The host looks again once this share of the lanes has stopped, by all that is known: on average
half of it stands idle, and the waits are the fewer the more robust the network is."""


@dataclass(eq=False)
class Lane:
    """One task under way; `image` is where it stands while it is out of the batch."""

    task: Task
    step: int = 0
    restart: int = 0
    image: Tensor | None = None
    deaf: int = -1  # at this step a claim was denied already
    denied: str = ""  # why


def run_lanes(chunk: Chunk, todo: Sequence[int], schedule: Schedule) -> None:
    """Attack the positions `todo` until the schedule has no task left."""
    _Run(chunk, todo, schedule).run()


def steps_unseen(left: Sequence[int], stopping: float) -> int:
    """How many steps to enqueue before `IDLE` of the lanes has stopped.

    left: steps that each lane may still go. stopping: share of the lanes that stopped per step.
    """
    spent = sorted(left)[int(IDLE * len(left))]
    return max(1, min(spent, int(IDLE / stopping) if stopping else spent))


class _Run:
    def __init__(self, chunk: Chunk, todo: Sequence[int], schedule: Schedule) -> None:
        attack = chunk.plan.attack
        assert isinstance(attack, Descent)
        self.chunk, self.schedule, self.attack = chunk, schedule, attack
        self.name = str(attack)
        self.stepper = Stepper(attack, chunk.model)
        self.queue = deque(Lane(task) for i in todo for task in schedule.begin(i))
        self.lanes: list[Lane] = []
        self.front: Front | None = None  # of the same lanes
        self.stopping = 1.0  # the share of lanes that claimed at each of the last steps
        self.waiting: list[Lane] = []  # for the verdict
        self.ended = 0  # tasks

    def run(self) -> None:
        seed_everything(self.chunk.plan.seed, self.chunk.first)  # for networks that draw, too
        while self.queue or self.lanes or self.waiting:
            self._fill()
            if self.lanes:
                self._step()
            if self._verdict_is_due():
                self._judge()

    def _fill(self) -> None:
        room = self.chunk.plan.batches.size - len(self.lanes)
        new = [self.queue.popleft() for _ in range(min(room, len(self.queue)))]
        if not new:
            return
        places, pace = self._places(new)
        steps, deaf = [lane.step for lane in new], [lane.deaf for lane in new]
        front = Front.of(places, pace, steps, deaf)
        self.front = front if self.front is None else self.front.joined(front)
        self.lanes = self.lanes + new

    def _places(self, lanes: Sequence[Lane]) -> tuple[Tensor, Pace]:
        """Where lanes enter the batch, (n, C, H, W), and how they go on."""
        samples, eps = self.chunk.balls([lane.task for lane in lanes])
        pace = Pace.of(self.attack, samples, eps)
        places = samples.x.clone()
        if warm := [i for i, lane in enumerate(lanes) if _is_warm(lane)]:
            index, starts = self.chunk.index(warm), torch.stack([_start(lanes[i]) for i in warm])
            places[index] = into_ball(samples.x[index], starts, eps[warm], self.attack.norm)
        if back := [i for i, lane in enumerate(lanes) if lane.image is not None]:
            places[self.chunk.index(back)] = torch.stack([_standing(lanes[i]) for i in back])
        if fresh := sorted({*range(len(lanes))} - {*warm, *back}):
            index, seeds = self.chunk.index(fresh), [self._seed(lanes[i]) for i in fresh]
            places[index] = self.stepper.start(pace.at(index), seeds)
        for lane in lanes:
            lane.image = None
        return places, pace

    def _seed(self, lane: Lane) -> int:
        plan, task = self.chunk.plan, lane.task
        eps = plan.epsilons[task.row].value
        return seed_of(plan.seed, self.name, self.chunk.first + task.position, eps, lane.restart)

    def _step(self) -> None:
        """Go on until it is worth while to look which lanes have stopped, and let those leave."""
        assert self.front is not None
        unseen, fits = self._unseen(), True
        for _ in range(unseen):
            try:
                self.front.advance(
                    self.stepper, self.attack.steps, heedful=not self.chunk.network.random
                )
            except RuntimeError as e:
                if not is_out_of_memory(e):
                    raise
                fits = False
                break
        tried = len(self.lanes)
        self._release(unseen)
        if not fits:
            self._shrink(tried)

    def _unseen(self) -> int:
        if self.chunk.samples.x.device.type == "cpu":
            return 1  # to look costs nothing
        return steps_unseen([self.attack.steps - lane.step for lane in self.lanes], self.stopping)

    def _release(self, steps: int) -> None:
        """Those that have stopped leave; the others are told where they are."""
        assert self.front is not None
        gone, stopped = self.front.look()
        for lane, step in zip(self.lanes, gone, strict=True):
            lane.step = step
        leave = [i for i, flag in enumerate(stopped) if flag]
        claims = sum(self.lanes[i].step < self.attack.steps for i in leave)
        self.stopping = claims / (len(self.lanes) * steps)
        if leave:
            self.waiting += self._out(leave)
            self._keep([i for i, flag in enumerate(stopped) if not flag])

    def _out(self, where: Sequence[int]) -> list[Lane]:
        """Lanes of the batch with their images, which are copies."""
        assert self.front is not None
        lanes = [self.lanes[i] for i in where]
        for lane, image in zip(lanes, self.front.x[self.chunk.index(where)], strict=True):
            lane.image = image
        return lanes

    def _keep(self, where: Sequence[int]) -> None:
        assert self.front is not None
        self.lanes = [self.lanes[i] for i in where]
        self.front = self.front.at(self.chunk.index(where)) if where else None

    def _shrink(self, tried: int) -> None:
        size = self.chunk.plan.batches.shrink(tried)
        here = range(len(self.lanes))
        if here[size:]:
            self.queue.extendleft(self._out(here[size:]))
            self._keep(here[:size])

    def _verdict_is_due(self) -> bool:
        full = self.chunk.plan.batches.size
        if not self.queue:
            full = len(self.lanes)  # nobody can take the places that are free
        return len(self.waiting) >= max(1, full // 4)

    def _judge(self) -> None:
        lanes, self.waiting = self.waiting, []
        early = [lane for lane in lanes if lane.step < self.attack.steps]
        spent = [lane for lane in lanes if lane.step == self.attack.steps]
        for group, claiming in ((early, True), (spent, False)):
            for lane, outcome in self._verified(group, claiming):
                self.queue.extend(self._next(lane, outcome, claiming))
        self.chunk.tell(self.ended / (self.ended + len(self.queue) + len(self.lanes) + 1), "")

    def _verified(self, lanes: list[Lane], claiming: bool) -> Iterable[tuple[Lane, Outcome]]:
        def work(part: slice) -> list[Outcome]:
            return self._look(lanes[part], claiming)

        found = self.chunk.plan.batches.map(len(lanes), work)
        return zip(lanes, (outcome for part in found for outcome in part), strict=True)

    def _look(self, lanes: list[Lane], claiming: bool) -> list[Outcome]:
        samples, eps = self.chunk.balls([lane.task for lane in lanes])
        images = torch.stack([_standing(lane) for lane in lanes])
        images = into_ball(samples.x, images, eps, self.attack.norm)
        verdict = verify(
            self.chunk.network,
            samples,
            images,
            norm=self.attack.norm,
            eps=eps,
            claimed=torch.ones(len(lanes), dtype=torch.bool) if claiming else None,
        )
        return [
            Outcome(
                bool(verdict.adversarial[i]),
                int(verdict.prediction[i]),
                float(verdict.distance[i]),
                images[i],
                verdict.rejected.get(i, ""),
            )
            for i in range(len(lanes))
        ]

    def _next(self, lane: Lane, outcome: Outcome, claiming: bool) -> list[Lane]:
        """What follows: the same lane again, its next restart, or the tasks of the schedule."""
        if not outcome.adversarial:
            if self.chunk.exact:
                lane.denied = lane.denied or outcome.rejected
            if claiming:  # on second thoughts it is none: go on
                lane.deaf = lane.step
                return [lane]
            if lane.restart + 1 < self.attack.tries:
                return [Lane(lane.task, restart=lane.restart + 1, denied=lane.denied)]
            outcome = outcome._replace(rejected=lane.denied or outcome.rejected)
        self.ended += 1
        return [Lane(task) for task in self.schedule.told(lane.task, outcome)]


def _is_warm(lane: Lane) -> bool:
    return lane.image is None and lane.task.start is not None and not lane.restart


def _start(lane: Lane) -> Tensor:
    assert lane.task.start is not None
    return lane.task.start


def _standing(lane: Lane) -> Tensor:
    assert lane.image is not None
    return lane.image
