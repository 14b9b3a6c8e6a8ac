"""Fast gradient method: one step along the gradient scaled to length eps, in L1.

Goodfellow et al. 2015, arXiv:1412.6572, with the L1 norm.

    direction = g / ||g||_1,   g = d loss / d x
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.fast_gradient_method import L1FastGradientAttack

from robustbench_cli.evaluation.algorithms.one_step import OneStep
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L1FGM(OneStep):
    norm: ClassVar[Norm] = "l1"

    def build(self, eps: float | None) -> Any:
        return L1FastGradientAttack()
