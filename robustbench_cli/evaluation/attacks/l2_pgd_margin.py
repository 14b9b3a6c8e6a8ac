"""Projected gradient descent on the margin between the logits, in L2.

The steps are those of l2-pgd: the direction is g / ||g||_2 with g = d loss / d x'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.projected_gradient_descent import L2ProjectedGradientDescentAttack

from robustbench_cli.evaluation.algorithms.margin_descent import MarginDescent, OnMargin
from robustbench_cli.evaluation.verification.ball import Norm


class _Attack(OnMargin, L2ProjectedGradientDescentAttack):
    """Foolbox's, with another loss."""


@dataclass(kw_only=True)
class L2PGDMargin(MarginDescent):
    norm: ClassVar[Norm] = "l2"
    foolbox: ClassVar[Any] = _Attack
