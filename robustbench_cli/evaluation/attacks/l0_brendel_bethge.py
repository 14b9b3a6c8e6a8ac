"""Brendel & Bethge: steps along the decision boundary that change as few values as they can.

In the problem below, p = 0 and q = inf. Values that the solver's rounding has moved, by a millionth
at most, go back. L0 counts values, so a pixel of a colour image counts up to three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from foolbox.attacks.brendel_bethge import L0BrendelBethgeAttack
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.algorithms.brendel_bethge import BrendelBethge
from robustbench_cli.evaluation.attack import Samples
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param

ROUNDING = 1e-6


@dataclass(kw_only=True)
class L0BrendelBethge(BrendelBethge):
    norm: ClassVar[Norm] = "l0"
    foolbox: ClassVar[Any] = L0BrendelBethgeAttack

    radius: float = param(
        0.1, "of the first trust region, in pixels of [0, 1]", low=0, unit="one pixel"
    )

    def _walk(self, model: Model, samples: Samples, starts: Tensor) -> Tensor:
        found = super()._walk(model, samples, starts)
        return torch.where((found - samples.x).abs() > ROUNDING, found, samples.x)
