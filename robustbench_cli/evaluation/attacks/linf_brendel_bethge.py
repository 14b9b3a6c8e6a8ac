"""Brendel & Bethge: steps along the decision boundary towards the image, in Linf.

In the problem below, p = inf and q = 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.brendel_bethge import LinfinityBrendelBethgeAttack

from robustbench_cli.evaluation.algorithms.brendel_bethge import BrendelBethge
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfBrendelBethge(BrendelBethge):
    norm: ClassVar[Norm] = "linf"
    foolbox: ClassVar[Any] = LinfinityBrendelBethgeAttack
