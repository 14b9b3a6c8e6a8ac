"""Carlini and Wagner: the margin against the squared norm, by Adam, in L2.

Carlini & Wagner 2017, "Towards Evaluating the Robustness of Neural Networks", arXiv:1608.04644.

    minimise  ||x' - x||_2^2 + c · max(0, z_y - max_{i != y} z_i + confidence)

with x' written as a tanh, so that it stays in [0, 1]; c is found by bisection.
Minimal-norm: runs once for all epsilons. Cost: up to `searches` · `steps` forwards and backwards.
Foolbox's own default is 10,000 steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.carlini_wagner import L2CarliniWagnerAttack

from robustbench_cli.evaluation.algorithms.targets import Targeted
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class L2CW(Targeted):
    norm: ClassVar[Norm] = "l2"
    budget: ClassVar[bool] = False

    steps: int = param(1000, "steps of Adam per price", low=1)
    searches: int = param(9, "prices c tried", low=1)
    step_size: float = param(0.01, "step of Adam", low=0)
    confidence: float = param(0.0, "lead that the wrong class shall have", low=0)
    const: float = param(0.001, "first price c", low=0)

    def build(self, eps: float | None) -> Any:
        return L2CarliniWagnerAttack(
            binary_search_steps=self.searches,
            steps=self.steps,
            stepsize=self.step_size,
            confidence=self.confidence,
            initial_const=self.const,
        )
