"""Targets in turn: the ascent is repeated for each of the classes that the network finds likeliest.

From the paper of Auto-PGD; the strongest gradient attack of its AutoAttack.

    loss = (z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2),   z_(k) the k-th largest logit

for the `targets` classes t that are likeliest after the label y; any wrong class counts. Needs four
classes or more. One forward more per restart, target and epsilon ranks the classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Samples
from robustbench_cli.spec import param

from .apgd import AutoPGD
from .losses import Loss, targeted_dlr
from .restarts import Try


@dataclass(kw_only=True)
class TargetedAutoPGD(AutoPGD):
    """Aims at the likeliest other classes in turn; any wrong class counts."""

    loss: ClassVar[Loss] = targeted_dlr
    classes: ClassVar[int] = 4

    targets: int = param(9, "classes aimed at, the likeliest first", low=1)

    def _tries(self, model: Model, samples: Samples, eps: float) -> Iterator[Try]:
        others = self.count_classes(model, samples) - 1
        for _ in range(self.restarts):
            for rank in range(min(self.targets, others)):
                yield partial(self._aim, model, eps, rank)

    def _aim(self, model: Model, eps: float, rank: int, samples: Samples) -> Tensor:
        with torch.no_grad():
            others = model(samples.x).scatter(1, samples.labels[:, None], -torch.inf)
        return self.run(model, samples, others.argsort(1, descending=True)[:, rank], eps)
