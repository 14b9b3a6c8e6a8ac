"""Brendel & Bethge: steps along the decision boundary towards the image, in L1.

In the problem below, p = 1 and q = 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.brendel_bethge import L1BrendelBethgeAttack

from robustbench_cli.evaluation.algorithms.brendel_bethge import BrendelBethge
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L1BrendelBethge(BrendelBethge):
    norm: ClassVar[Norm] = "l1"
    foolbox: ClassVar[Any] = L1BrendelBethgeAttack
