"""Projected gradient descent from a random start, in Linf.

Madry et al. 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks",
arXiv:1706.06083.

    x' <- project(x' + step · sign(d loss / d x')),   step = 2.5 · eps / steps

so that it can cross the ball (Foolbox's own default travels 1.33·eps in all).
Cost per restart and epsilon: `steps` forwards and backwards, and one forward. Restarts see only
what the earlier ones left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.projected_gradient_descent import LinfProjectedGradientDescentAttack

from robustbench_cli.evaluation.algorithms.descent import ProjectedDescent
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfPGD(ProjectedDescent):
    norm: ClassVar[Norm] = "linf"
    foolbox: ClassVar[Any] = LinfProjectedGradientDescentAttack
