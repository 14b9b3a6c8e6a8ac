"""Auto-PGD on the cross-entropy: momentum, and a step size that needs no tuning, in Linf.

The loss is -log softmax(z)_y, the direction sign(gradient).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.apgd import AutoPGD
from robustbench_cli.evaluation.algorithms.losses import Loss, cross_entropy
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfAPGDCE(AutoPGD):
    norm: ClassVar[Norm] = "linf"
    loss: ClassVar[Loss] = cross_entropy
