"""Projected gradient descent from a random start, in L2.

Madry et al. 2018, arXiv:1706.06083.

    direction = g / ||g||_2,   g = d loss / d x'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.projected_gradient_descent import L2ProjectedGradientDescentAttack

from robustbench_cli.evaluation.algorithms.descent import ProjectedDescent
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L2PGD(ProjectedDescent):
    norm: ClassVar[Norm] = "l2"
    foolbox: ClassVar[Any] = L2ProjectedGradientDescentAttack
