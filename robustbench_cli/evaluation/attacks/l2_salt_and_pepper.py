"""Salt and pepper: random pixels turned white or black, fewer and fewer, measured in L2.

A corruption rather than an attack; of Foolbox.

    x'_i = 1 with probability p / 2, 0 with probability p / 2, else x_i   (all channels together)

p grows until the image is misclassified, then smaller ones are tried.
Minimal-norm: runs once for all epsilons, and keeps what is nearest in L2. Cost: `steps` forwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from foolbox.attacks.saltandpepper import SaltAndPepperNoiseAttack

from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class L2SaltAndPepper(Attack):
    norm: ClassVar[Norm] = "l2"
    budget: ClassVar[bool] = False
    access: ClassVar[Literal["decision"]] = "decision"

    steps: int = param(1000, "noise images per sample", low=1)

    def build(self, eps: float | None) -> Any:
        return SaltAndPepperNoiseAttack(steps=self.steps, channel_axis=1)
