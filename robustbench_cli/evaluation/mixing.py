"""Attacks whose batches hold samples with different epsilons, and which pause on the way.

A pause lets samples of several batches that have come equally far go on in one. That is for
bisection (`scheduling/mixed.py`): most samples break soon where the ball is large, and the few that
do not would keep the network busy with a small batch for all the steps that are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar, Self

import torch
from foolbox.models.base import Model
from torch import Tensor

from .algorithms.geometry import Radius
from .algorithms.restarts import Round, until_broken
from .attack import Attack, Crafted, Samples
from .chance import Chance

Turns = list[tuple[Sequence[int], float | None]]
"""Numbers of the tries that are made at once, and for whom: `Round.near`."""


@dataclass
class Held:
    """Samples under way: a field is (n, ...), or what all of them have in common."""

    where: Tensor  # its place in the batch that is to be told

    def picked(self, index: Tensor) -> Self:
        return replace(self, **{name: _part(value, index) for name, value in self._fields()})

    @classmethod
    def joined(cls, held: Sequence[Self]) -> Self:
        """These and those, which have come equally far; the batch is now all of them."""
        first, n = held[0], sum(len(each.where) for each in held)
        whole = {
            name: _whole([getattr(each, name) for each in held]) for name, _ in first._fields()
        }
        return replace(first, **{**whole, "where": torch.arange(n, device=first.where.device)})

    def leave(self, images: Tensor, gone: Tensor, last: Tensor) -> None:
        """Of those that are `gone`, (n,) bool, write the `last` points into `images`; forget them.

        The host waits for the count, and for no mask of every field.
        """
        if len(index := gone.nonzero()[:, 0]):
            images[self.where[index]] = last[index]
            stays = (~gone).nonzero()[:, 0]
            for name, value in self._fields():
                setattr(self, name, _part(value, stays))

    def _fields(self) -> list[tuple[str, Any]]:
        return [(f.name, getattr(self, f.name)) for f in fields(self)]


@dataclass(kw_only=True)
class Mixing(Attack):
    """Tries in a row, each for what the earlier ones left; a try may have a radius per sample.

    What comes of a sample depends on no other one if its random numbers do not (`Samples.chance`).
    """

    pauses: ClassVar[tuple[float, ...]] = ()
    """After which shares of its steps a try may pause; without any, `run` is all there is."""

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        """All of it at one epsilon, drawing by batch.

        Bisection goes try by try instead, each with `Streams` of its own.
        """
        assert eps is not None
        aims = self.aims_of(model, samples)

        def attempt(part: Samples, at: Tensor, which: Tensor, tries: Sequence[int]) -> Tensor:
            column = torch.tensor(tries).to(which.device, non_blocking=True)[which]
            return self.run(model, part, aims[at, column], eps)

        rounds = [
            Round(partial(attempt, tries=tries), len(tries), near)
            for tries, near in self.rounds(aims.shape[1])
        ]
        return until_broken(model, samples, eps, self.norm, rounds)

    def rounds(self, tries: int) -> Turns:
        """Of so many tries, in which order they are made."""
        return [((number,), None) for number in range(tries)]

    @property
    def starts(self) -> int:
        """How often the tries go through all that they aim at."""
        return 1

    @property
    def alone(self) -> bool:
        """Whether what comes of a sample, at its own radius, depends on no other of its batch.

        If not, the attack is bisected in rounds, at one epsilon after another.
        """
        return True

    def aims_of(self, model: Model, samples: Samples) -> Tensor:
        """(n, tries), classes: what each try aims at, or the label where it aims at nothing."""
        raise NotImplementedError

    def run(self, model: Model, samples: Samples, aims: Tensor, eps: Radius) -> Tensor:
        """One try, from its start to its end: images (n, C, H, W), in the ball or not."""
        return self.go_on(model, self.begin(samples, aims, eps), 0, self.length)

    @property
    def length(self) -> int:
        """Looks at the network of one try."""
        raise NotImplementedError

    def begin(self, samples: Samples, aims: Tensor, eps: Radius) -> Any:
        """The `Held` of a try that has not looked yet."""
        raise NotImplementedError

    def go_on(self, model: Model, held: Any, first: int, last: int) -> Tensor:
        """Looks number `first` to below `last`: images (n, C, H, W) of the samples of `held`.

        Those that still are in `held` afterwards are to go on; after the last look none are.
        """
        raise NotImplementedError

    @property
    def stretches(self) -> list[tuple[int, int]]:
        """First and last look, from pause to pause."""
        marks = sorted({0, self.length, *(int(share * self.length) for share in self.pauses)})
        return list(pairwise(marks))


def _part(value: Any, index: Tensor) -> Any:
    if isinstance(value, Chance):
        return value.at(index)
    return value[index] if isinstance(value, Tensor) else value


def _whole(values: list[Any]) -> Any:
    if isinstance(values[0], Chance):
        return values[0].joined(values[1:])
    return torch.cat(values) if isinstance(values[0], Tensor) else values[0]
