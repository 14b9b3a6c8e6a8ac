"""Uniform noise, drawn repeatedly until one draw is misclassified, in Linf.

x' = clip(x + eps · u / max(u)) with u uniform in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.additive_noise import LinfRepeatedAdditiveUniformNoiseAttack

from robustbench_cli.evaluation.algorithms.noise import RepeatedNoise
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfNoise(RepeatedNoise):
    norm: ClassVar[Norm] = "linf"
    foolbox: ClassVar[Any] = LinfRepeatedAdditiveUniformNoiseAttack
