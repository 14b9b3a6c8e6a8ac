"""Fast gradient sign method: one step along the sign of the gradient, in Linf.

Goodfellow et al. 2015, "Explaining and Harnessing Adversarial Examples", arXiv:1412.6572.

    direction = sign(d loss / d x)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.fast_gradient_method import LinfFastGradientAttack

from robustbench_cli.evaluation.algorithms.one_step import OneStep
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfFGSM(OneStep):
    norm: ClassVar[Norm] = "linf"

    def build(self, eps: float | None) -> Any:
        return LinfFastGradientAttack()
