"""DeepFool: steps to the nearest linearised decision boundary, in L2.

Moosavi-Dezfooli et al. 2016, "DeepFool: a simple and accurate method to fool deep neural
networks", arXiv:1511.04599.

    p <- p + (|f_k| / ||w_k||^2) · w_k,   k = argmin |f_k| / ||w_k||,   x' = x + (1 + overshoot) · p

with f_k the lead of class k over the label and w_k its gradient. Minimal-norm: runs once for all
epsilons. Cost: up to `steps` · (`candidates` - 1) forwards and backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.deepfool import L2DeepFoolAttack

from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class L2DeepFool(Attack):
    norm: ClassVar[Norm] = "l2"
    budget: ClassVar[bool] = False

    steps: int = param(50, "linearisations", low=1)
    candidates: int = param(10, "classes considered, the likeliest first", low=2)
    overshoot: float = param(0.02, "share by which the boundary is overstepped", low=0)

    def build(self, eps: float | None) -> Any:
        return L2DeepFoolAttack(
            steps=self.steps, candidates=self.candidates, overshoot=self.overshoot
        )
