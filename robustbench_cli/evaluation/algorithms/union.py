"""Several attacks in a row: a sample withstands the union only if it withstands every member.

Each member sees what the earlier ones left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Attack, Crafted, Samples

from .restarts import Round, until_broken


@dataclass(kw_only=True)
class Union(Attack):
    """Evaluations run its members one by one, and verify each; so they know which broke what.

    every_member: whether they show each member what others broke, too. Nothing of it counts but
    what it tells about members.
    """

    every_member: bool = False

    def members(self, classes: int) -> list[Attack]:
        """In the order in which they run; all of the norm of the union, no two of one name."""
        raise NotImplementedError

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        """All of it on one batch, for attacks that wrap this one."""
        assert eps is not None
        members = self.members(count_classes(model, samples))
        rounds = [Round(partial(_run, member, model, eps)) for member in members]
        return until_broken(model, samples, eps, self.norm, rounds)


def count_classes(model: Model, samples: Samples) -> int:
    """By a look at one sample."""
    with torch.no_grad():
        return int(model(samples.x[:1]).shape[1])


def _run(
    member: Attack, model: Model, eps: float, samples: Samples, at: Tensor, which: Tensor
) -> Tensor:
    return member.craft(model, samples, eps if member.budget else None).images
