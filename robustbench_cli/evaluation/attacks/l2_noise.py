"""Gaussian noise, drawn repeatedly until one draw is misclassified, in L2.

The floor that every attack must beat: a network that falls to noise more often than to gradients
hides its gradients (Carlini et al. 2019, "On Evaluating Adversarial Robustness",
arXiv:1902.06705).

    x' = clip(x + s · u),   u Gaussian, s such that ||x' - x||_2 = eps after the clipping

Cost per epsilon: up to `draws` forwards, no backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from foolbox.attacks.additive_noise import L2ClippingAwareRepeatedAdditiveGaussianNoiseAttack

from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class L2Noise(Attack):
    norm: ClassVar[Norm] = "l2"
    access: ClassVar[Literal["none"]] = "none"

    draws: int = param(100, "noise images per sample and epsilon", low=1)

    def build(self, eps: float | None) -> Any:
        return L2ClippingAwareRepeatedAdditiveGaussianNoiseAttack(
            repeats=self.draws, check_trivial=False
        )
