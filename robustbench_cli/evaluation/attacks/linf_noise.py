"""Uniform noise, drawn repeatedly until one draw is misclassified, in Linf.

The floor that every attack must beat: a network that falls to noise more often than to gradients
hides its gradients (Carlini et al. 2019, "On Evaluating Adversarial Robustness",
arXiv:1902.06705).

    x' = clip(x + eps · u / max(u)),   u uniform in [-1, 1]

Cost per epsilon: up to `draws` forwards, no backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from foolbox.attacks.additive_noise import LinfRepeatedAdditiveUniformNoiseAttack

from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class LinfNoise(Attack):
    norm: ClassVar[Norm] = "linf"
    access: ClassVar[Literal["none"]] = "none"

    draws: int = param(100, "noise images per sample and epsilon", low=1)

    def build(self, eps: float | None) -> Any:
        return LinfRepeatedAdditiveUniformNoiseAttack(repeats=self.draws, check_trivial=False)
