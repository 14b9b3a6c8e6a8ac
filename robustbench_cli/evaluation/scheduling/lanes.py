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
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor

from robustbench_cli.device import seed_everything
from robustbench_cli.evaluation.algorithms.descent import Descent
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import Outcome, Task
from robustbench_cli.evaluation.verification.ball import into_ball
from robustbench_cli.evaluation.verification.verify import verify

from .schedules import Schedule
from .steps import Pace, Stepper


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


class _Run:
    def __init__(self, chunk: Chunk, todo: Sequence[int], schedule: Schedule) -> None:
        attack = chunk.plan.attack
        assert isinstance(attack, Descent)
        self.chunk, self.schedule, self.attack = chunk, schedule, attack
        self.stepper = Stepper(attack, chunk.model)
        self.queue = deque(Lane(task) for i in todo for task in schedule.begin(i))
        self.lanes: list[Lane] = []
        self.x = chunk.samples.x[:0]
        self.pace: Pace | None = None
        self.radii = [float(eps) for eps in chunk.plan.epsilons]
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
        if new:
            self.x = torch.cat([self.x, self._places(new)])
            self.lanes = self.lanes + new
            self.pace = None

    def _places(self, lanes: Sequence[Lane]) -> Tensor:
        """Where lanes enter the batch: (n, C, H, W)."""
        self._warm([lane for lane in lanes if lane.image is None and _is_warm(lane)])
        places = []
        with torch.random.fork_rng([self.x.device] if self.x.is_cuda else []):
            for lane in lanes:
                if lane.image is None:
                    lane.image = self._start(lane)
                places.append(lane.image)
                lane.image = None
        return torch.stack(places)

    def _warm(self, lanes: Sequence[Lane]) -> None:
        """Set lanes where their tasks say, all at once."""
        if not lanes:
            return
        pace = self._pace(lanes)
        starts = torch.stack([lane.task.start for lane in lanes if lane.task.start is not None])
        places = into_ball(pace.samples.x, starts, pace.eps, self.attack.norm)
        for lane, place in zip(lanes, places, strict=True):
            lane.image = place

    def _start(self, lane: Lane) -> Tensor:
        x, eps = self.chunk.samples.x[lane.task.position], self._eps(lane)
        if self.stepper.tool.random_start:
            seed_start(self._seeds(lane), x.device)
        return self.stepper.start(x[None], eps)[0]

    def _seeds(self, lane: Lane) -> tuple[object, ...]:
        plan, task = self.chunk.plan, lane.task
        eps = plan.epsilons[task.row].value
        return plan.seed, str(plan.attack), self.chunk.first + task.position, eps, lane.restart

    def _eps(self, lane: Lane) -> float:
        return self.radii[lane.task.row]

    def _pace(self, lanes: Sequence[Lane]) -> Pace:
        where = torch.tensor([lane.task.position for lane in lanes], dtype=torch.long)
        samples = self.chunk.samples[where.to(self.chunk.samples.x.device)]
        return Pace.of(self.attack, samples, list(map(self._eps, lanes)))

    def _step(self) -> None:
        self.pace = self.pace or self._pace(self.lanes)
        found = None
        with suppress(torch.OutOfMemoryError):
            found = self.stepper.step(self.x, self.pace)
        if found is None:
            self._shrink()
            return
        moved, hit = found
        claims = hit.tolist()
        leave = []
        for i, lane in enumerate(self.lanes):
            if claims[i] and lane.deaf != lane.step and not self.chunk.network.random:
                lane.image = self.x[i].clone()
                leave.append(i)
            else:
                lane.step += 1
                if lane.step == self.attack.steps:
                    lane.image = moved[i].clone()
                    leave.append(i)
        self.x = moved
        if leave:
            self.waiting += [self.lanes[i] for i in leave]
            self._keep(sorted(set(range(len(self.lanes))) - set(leave)))

    def _keep(self, where: list[int]) -> None:
        index = torch.tensor(where, dtype=torch.long, device=self.x.device)
        self.lanes = [self.lanes[i] for i in where]
        self.x, self.pace = self.x[index], None

    def _shrink(self) -> None:
        size = self.chunk.plan.batches.shrink(len(self.lanes))
        for i, lane in enumerate(self.lanes[size:], start=size):
            lane.image = self.x[i].clone()
            self.queue.appendleft(lane)
        self._keep(list(range(min(size, len(self.lanes)))))

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
        pace, images = self._pace(lanes), torch.stack([_standing(lane) for lane in lanes])
        images = into_ball(pace.samples.x, images, pace.eps, self.attack.norm)
        verdict = verify(
            self.chunk.network,
            pace.samples,
            images,
            norm=self.attack.norm,
            eps=pace.eps,
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
    return lane.task.start is not None and not lane.restart


def _standing(lane: Lane) -> Tensor:
    assert lane.image is not None
    return lane.image


def seed_start(seeds: Iterable[object], device: torch.device) -> None:
    """Seed the generator that a random start on `device` draws from."""
    text = ",".join(map(str, seeds)).encode()
    seed = int.from_bytes(blake2b(text, digest_size=8).digest(), "little") >> 1
    # torch.manual_seed asks every kind of device, which takes longer than the draw
    generators: Callable[[int], object] = torch.default_generator.manual_seed
    if device.type == "cuda":
        generators = torch.cuda.default_generators[device.index or 0].manual_seed
    elif device.type != "cpu":
        generators = torch.manual_seed
    generators(seed)
