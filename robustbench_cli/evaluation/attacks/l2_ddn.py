"""Decoupled direction and norm: gradient steps on a sphere that grows and shrinks, in L2.

Rony et al. 2019, "Decoupling Direction and Norm for Efficient Gradient-Based L2 Adversarial Attacks
and Defenses", arXiv:1811.09600.

    d <- d + step · g / ||g||_2,   then ||d||_2 <- (1 ± gamma) of what it was: less if adversarial

with g the gradient of the cross-entropy.
Minimal-norm: runs once for all epsilons. Cost: `steps` forwards and backwards. No randomness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.ddn import DDNAttack

from robustbench_cli.evaluation.algorithms.targets import Targeted
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class L2DDN(Targeted):
    norm: ClassVar[Norm] = "l2"
    budget: ClassVar[bool] = False

    steps: int = param(100, "gradient steps", low=1)
    first: float = param(1.0, "first norm of the perturbation, in pixels", low=0, unit="pixels")
    gamma: float = param(0.05, "share by which the norm changes", low=0, high=1)

    def build(self, eps: float | None) -> Any:
        return DDNAttack(init_epsilon=self.first, steps=self.steps, gamma=self.gamma)
