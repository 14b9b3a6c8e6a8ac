"""Projected gradient descent on the margin between the logits, in L2.

Carlini & Wagner 2017, arXiv:1608.04644, for the loss (their f_6 without confidence); the steps are
those of l2-pgd.

    loss = max_{i != y} z_i - z_y

It does not saturate where cross-entropy does. Aimed at a class t, it lets t's lead grow instead.
Cost per restart and epsilon: `steps` forwards and backwards, and one forward. Restarts see only
what the earlier ones left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.projected_gradient_descent import L2ProjectedGradientDescentAttack

from robustbench_cli.evaluation.algorithms.descent import ProjectedDescent
from robustbench_cli.evaluation.algorithms.losses import OnMargin
from robustbench_cli.evaluation.verification.ball import Norm


class _Attack(OnMargin, L2ProjectedGradientDescentAttack):
    """Foolbox's, with another loss."""


@dataclass(kw_only=True)
class L2PGDMargin(ProjectedDescent):
    norm: ClassVar[Norm] = "l2"
    foolbox: ClassVar[Any] = _Attack
