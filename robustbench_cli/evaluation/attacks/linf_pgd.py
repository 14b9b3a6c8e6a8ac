"""Projected gradient descent from a random start, in Linf.

Madry et al. 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks",
arXiv:1706.06083.

    direction = sign(d loss / d x')

Foolbox's own default step travels 1.33·eps in all.
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
