"""Projected gradient descent on the margin between the logits, in Linf.

The steps are those of linf-pgd: the direction is sign(g) with g = d loss / d x'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.projected_gradient_descent import LinfProjectedGradientDescentAttack

from robustbench_cli.evaluation.algorithms.margin_descent import MarginDescent, OnMargin
from robustbench_cli.evaluation.verification.ball import Norm


class _Attack(OnMargin, LinfProjectedGradientDescentAttack):
    """Foolbox's, with another loss."""


@dataclass(kw_only=True)
class LinfPGDMargin(MarginDescent):
    norm: ClassVar[Norm] = "linf"
    foolbox: ClassVar[Any] = _Attack
