"""Gaussian blur, wider and wider until the image is misclassified, measured in L2.

A corruption rather than an attack; of Foolbox.

    x' = x * Gaussian(sigma),   sigma = k · max_sigma / steps,   k = 1, 2, ...

Minimal-norm: runs once for all epsilons; a wider blur changes an image more. Cost: up to `steps`
forwards. No randomness. The filter runs on the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from foolbox import distances
from foolbox.attacks.blur import GaussianBlurAttack

from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class L2Blur(Attack):
    norm: ClassVar[Norm] = "l2"
    budget: ClassVar[bool] = False
    access: ClassVar[Literal["decision"]] = "decision"

    steps: int = param(100, "widths tried", low=1)
    max_sigma: float | None = param(None, "widest, in pixels; none: the side of the image", low=0)

    def build(self, eps: float | None) -> Any:
        return GaussianBlurAttack(
            distance=distances.l2, steps=self.steps, channel_axis=1, max_sigma=self.max_sigma
        )
