"""Gaussian noise, drawn repeatedly until one draw is misclassified, in L2.

x' = clip(x + s · u) with u Gaussian and s such that ||x' - x||_2 = eps after the clipping.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.additive_noise import L2ClippingAwareRepeatedAdditiveGaussianNoiseAttack

from robustbench_cli.evaluation.algorithms.noise import RepeatedNoise
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L2Noise(RepeatedNoise):
    norm: ClassVar[Norm] = "l2"
    foolbox: ClassVar[Any] = L2ClippingAwareRepeatedAdditiveGaussianNoiseAttack
