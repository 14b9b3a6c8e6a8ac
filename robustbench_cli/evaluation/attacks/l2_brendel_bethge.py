"""Brendel & Bethge: steps along the decision boundary towards the image, in L2.

In the problem below, p = 2 and q = 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.brendel_bethge import L2BrendelBethgeAttack

from robustbench_cli.evaluation.algorithms.brendel_bethge import BrendelBethge
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L2BrendelBethge(BrendelBethge):
    norm: ClassVar[Norm] = "l2"
    foolbox: ClassVar[Any] = L2BrendelBethgeAttack
