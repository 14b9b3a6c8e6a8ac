"""Fast gradient method: one step along the gradient scaled to length eps, in L2.

Goodfellow et al. 2015, arXiv:1412.6572; the L2 form as in Miyato et al. 2017, arXiv:1605.07725.

    direction = g / ||g||_2,   g = d loss / d x
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.fast_gradient_method import L2FastGradientAttack

from robustbench_cli.evaluation.algorithms.one_step import OneStep
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L2FGM(OneStep):
    norm: ClassVar[Norm] = "l2"

    def build(self, eps: float | None) -> Any:
        return L2FastGradientAttack()
