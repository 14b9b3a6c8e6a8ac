"""Targets in turn: the ascent is repeated for each of the classes that are aimed at.

From the paper of Auto-PGD; the strongest gradient attack of its AutoAttack.

    loss = (z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2),   z_(k) the k-th largest logit

Needs four classes or more. Cost besides the ascents: one forward per restart, target and epsilon,
and what it takes to choose the classes (`aiming`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Samples

from .aiming import Aiming
from .apgd import AutoPGD
from .losses import Loss, targeted_dlr


@dataclass(kw_only=True)
class TargetedAutoPGD(Aiming, AutoPGD):
    """Its variants differ by norm."""

    loss: ClassVar[Loss] = targeted_dlr
    classes: ClassVar[int] = 4

    def goals(self, model: Model, samples: Samples) -> Tensor:
        return self.chosen(model, samples, self.count_classes(model, samples) - 1)
