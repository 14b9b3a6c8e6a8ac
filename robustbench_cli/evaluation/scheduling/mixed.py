"""Attacks that take a whole batch, with an epsilon of its own for each of its samples.

While samples are bisected, every one of them asks for another epsilon. One epsilon after another
would make many small batches, which cost nearly as much time as full ones. So a batch takes
whatever is asked for; and it pauses a few times on the way, so that the few samples which withstand
their balls for long need not go on alone, but wait for those of other batches.

What comes of a task is a function of the seed, the attack, the sample and its epsilon: random
numbers are drawn for each sample (`chance.py`), and what is drawn for the whole batch does not
depend on who is in it. The audit draws others, as a second look would.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor

from robustbench_cli.device import is_out_of_memory, seed_everything
from robustbench_cli.evaluation.algorithms.geometry import Radius
from robustbench_cli.evaluation.attack import Crafted, Samples, claim
from robustbench_cli.evaluation.chance import Streams, seed_of
from robustbench_cli.evaluation.mixing import Held, Mixing
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import Task
from robustbench_cli.evaluation.verification.ball import into_ball

from .attempts import judged, outcomes_of
from .schedules import Schedule


@dataclass(eq=False)
class Entry:
    """One task under way; `aims` (tries,) once they are chosen."""

    task: Task
    aims: Tensor | None = None


def run_mixed(chunk: Chunk, todo: Sequence[int], schedule: Schedule) -> None:
    """Attack the positions `todo` until the schedule has no task left."""
    _Run(chunk, todo, schedule).run()


class _Run:
    def __init__(self, chunk: Chunk, todo: Sequence[int], schedule: Schedule) -> None:
        attack = chunk.plan.attack
        assert isinstance(attack, Mixing)
        self.chunk, self.schedule, self.attack = chunk, schedule, attack
        self.name, self.stretches = str(attack), attack.stretches
        self.fresh = defaultdict[int, list[Entry]](list)  # by the try that comes next
        # by the try and the stretch of it that comes next
        self.paused = defaultdict[tuple[int, int], list[tuple[list[Entry], Held]]](list)
        self.ended = 0  # tasks
        self._add(task for i in todo for task in schedule.begin(i))

    def run(self) -> None:
        """What is least advanced goes first: most of it is soon over, and the rest can wait."""
        seed_everything(self.chunk.plan.seed, self.chunk.first)  # for networks that draw, too
        while place := self._next():
            number, stretch = place
            if stretch:
                entries, held = self._resumed(number, stretch)
            else:
                entries, held = self._taken(number), None
            fits = True
            try:
                self._go(entries, held, number, stretch)
            except RuntimeError as e:
                if not is_out_of_memory(e):
                    raise
                fits = False  # leave the handler first: the error keeps the batch's tensors alive
            if not fits:
                held = None
                self.fresh[number] += entries
                self.chunk.plan.batches.shrink(len(entries))

    def _next(self) -> tuple[int, int] | None:
        """The try, and the stretch of it, that somebody waits for; the first of all."""
        starts = [(number, 0) for number, entries in self.fresh.items() if entries]
        return min([*starts, *self.paused], default=None)

    def _add(self, tasks: Iterable[Task]) -> None:
        self.fresh[0] += map(Entry, tasks)

    def _taken(self, number: int) -> list[Entry]:
        """Largest balls first: what breaks there goes on to smaller ones, and fills them up."""
        waiting, size = self.fresh[number], self.chunk.plan.batches.size
        waiting.sort(key=lambda entry: entry.task.row)
        self.fresh[number] = waiting[:-size]
        return waiting[-size:]

    def _resumed(self, number: int, stretch: int) -> tuple[list[Entry], Held]:
        parts, size = self.paused.pop((number, stretch)), self.chunk.plan.batches.size
        entries, held = [entry for part, _ in parts for entry in part], [each for _, each in parts]
        whole = type(held[0]).joined(held)
        if len(entries) > size:
            here, later = whole.where[:size], whole.where[size:]
            self.paused[number, stretch] = [(entries[size:], whole.picked(later))]
            entries, whole = entries[:size], whole.picked(here)
        return entries, whole

    def _go(self, entries: list[Entry], held: Held | None, number: int, stretch: int) -> None:
        """On to the next pause; who has ended by then is judged."""
        attack, model, staying = self.attack, self.chunk.model, list[int]()
        if len(self.stretches) == 1:
            images = attack.run(model, *self._start(entries, number))
        else:
            if held is None:
                held = attack.begin(*self._start(entries, number))
            first, last = self.stretches[stretch]
            images = attack.go_on(model, held, first, last)
            staying = held.where.tolist() if last < attack.length else []
        ended = sorted({*range(len(entries))} - {*staying})
        if ended:
            self._judge([entries[i] for i in ended], images[self.chunk.index(ended)], number)
        if staying and held is not None:
            self.paused[number, stretch + 1].append(([entries[i] for i in staying], held))

    def _start(self, entries: Sequence[Entry], number: int) -> tuple[Samples, Tensor, Radius]:
        """The samples, what the try aims at, (n,), and the radii."""
        samples, eps = self.chunk.balls([entry.task for entry in entries])
        samples = replace(samples, chance=self._chance(entries).again(number))
        radius = eps.to(samples.x, non_blocking=True)[:, None, None, None]
        return samples, self._aims(entries, samples)[:, number], radius

    def _judge(self, entries: list[Entry], images: Tensor, number: int) -> None:
        """What they say of what they found: the next try, or the last word of the network."""
        samples, eps = self.chunk.balls([entry.task for entry in entries])
        images = into_ball(samples.x, images, eps, self.attack.norm)
        claimed = claim(self.chunk.model, samples, images)
        aims = entries[0].aims
        assert aims is not None
        over = [number + 1 == len(aims) or flag for flag in claimed.tolist()]
        done = [i for i, flag in enumerate(over) if flag]
        if done:
            at = self.chunk.index(done)
            crafted, eps = Crafted(images[at], claimed[at]), eps[done]
            verdict = judged(self.chunk, samples[at], crafted, eps)
            for i, outcome in zip(done, outcomes_of(verdict, crafted.failed), strict=True):
                self._add(self.schedule.told(entries[i].task, outcome))
        self.fresh[number + 1] += [entries[i] for i, flag in enumerate(over) if not flag]
        self._tell(len(done))

    def _tell(self, ended: int) -> None:
        self.ended += ended
        held = chain.from_iterable(self.paused.values())
        left = sum(map(len, self.fresh.values())) + sum(len(entries) for entries, _ in held)
        self.chunk.tell(self.ended / (self.ended + left + 1), "")

    def _aims(self, entries: Sequence[Entry], samples: Samples) -> Tensor:
        """(n, tries); chosen before the first try."""
        known = [entry.aims for entry in entries if entry.aims is not None]
        if len(known) == len(entries):
            return torch.stack(known)
        aims = self.attack.aims_of(self.chunk.model, samples)
        for entry, row in zip(entries, aims, strict=True):
            entry.aims = row
        return aims

    def _chance(self, entries: Sequence[Entry]) -> Streams:
        plan, first = self.chunk.plan, self.chunk.first
        seeds = [
            seed_of(plan.seed, self.name, first + position, plan.epsilons[row].value, again)
            for position, row, again, _ in (entry.task for entry in entries)
        ]
        return Streams(self.chunk.index(seeds), seed_of(plan.seed, self.name))
