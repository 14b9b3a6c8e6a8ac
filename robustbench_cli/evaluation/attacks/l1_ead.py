"""Elastic-net attack: the margin against a mixed L1 and L2 price, by shrinkage, in L1.

Chen et al. 2018, "EAD: Elastic-Net Attacks to Deep Neural Networks via Adversarial Examples",
arXiv:1709.04114.

    minimise  c · max(0, z_y - max_{i != y} z_i + confidence) + ||d||_2^2 + beta · ||d||_1

by accelerated gradient steps with soft thresholding; c is found by bisection, and of all
adversarials the one of smallest L1 norm is kept.
Minimal-norm: runs once for all epsilons. Cost: up to `searches` · `steps` forwards and backwards,
and as many forwards. Foolbox's own default is 10,000 steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.ead import EADAttack

from robustbench_cli.evaluation.algorithms.targets import Targeted
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class L1EAD(Targeted):
    norm: ClassVar[Norm] = "l1"
    budget: ClassVar[bool] = False

    steps: int = param(1000, "gradient steps per price", low=1)
    searches: int = param(9, "prices c tried", low=1)
    step_size: float = param(0.01, "first step; it falls with the root of what is left", low=0)
    confidence: float = param(0.0, "lead that the wrong class shall have", low=0)
    const: float = param(0.001, "first price c", low=0)
    beta: float = param(0.01, "weight of the L1 norm", low=0)

    def build(self, eps: float | None) -> Any:
        return EADAttack(
            binary_search_steps=self.searches,
            steps=self.steps,
            initial_stepsize=self.step_size,
            confidence=self.confidence,
            initial_const=self.const,
            regularization=self.beta,
            decision_rule="L1",
        )
