"""Projected gradient descent from a random start, in L2.

Madry et al. 2018, arXiv:1706.06083.

    x' <- project(x' + step · g / ||g||_2),   g = d loss / d x',   step = 2.5 · eps / steps

Cost per restart and epsilon: `steps` forwards and backwards, and one forward. Restarts see only
what the earlier ones left.
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
