"""Brendel & Bethge: steps along the decision boundary that change as few values as they can.

Brendel, Rauber, Kümmerer, Ustyuzhaninov & Bethge 2019, "Accurate, reliable and fast robustness
evaluation", arXiv:1907.01003.

    minimise  ||x - x' - d||_0  such that  b·d = c,  ||d||_inf <= r  and  x' + d is in [0, 1]

with b the gradient of the lead of the label at x' (averaged over the steps), c what is left of
that lead, and r a trust region that shrinks. x' starts at an adversarial: the nearest image of the
evaluation set in another class, drawn closer, else noise. Foolbox lets r grow with the number of
images in the batch; here it does not. Values that the solver's rounding has moved, by a millionth
at most, go back. The last point oversteps the boundary by a ten-thousandth.
L0 counts values, so a pixel of a colour image counts up to three.
Needs numba (pip install "robustmix[brendel-bethge]"), which first compiles for a minute or so.
Minimal-norm: runs once for all epsilons. Cost: `steps` forwards and backwards, some twenty
forwards, and a solver on the CPU for each sample and step. Foolbox's own default is 1,000 steps.
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

    radius: float = param(0.1, "of the first trust region, in pixels of [0, 1]", low=0)

    def _walk(self, model: Model, samples: Samples, starts: Tensor) -> Tensor:
        found = super()._walk(model, samples, starts)
        return torch.where((found - samples.x).abs() > ROUNDING, found, samples.x)
