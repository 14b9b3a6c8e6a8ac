"""Fast gradient sign method: one step along the sign of the gradient, in Linf.

Goodfellow et al. 2015, "Explaining and Harnessing Adversarial Examples", arXiv:1412.6572.

    x' = clip(x + eps · sign(d loss / d x))

Cost: one forward and one backward for all epsilons together, one forward per epsilon.
Its curve is shown raw: accuracy that rises with eps is evidence of masked gradients.
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
