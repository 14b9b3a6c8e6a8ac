"""Auto-PGD on the cross-entropy, in L1: sparse steps, and balls that shrink to the one given.

The loss is -log softmax(z)_y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.l1_apgd import SparseAutoPGD
from robustbench_cli.evaluation.algorithms.losses import Loss, cross_entropy
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L1APGDCE(SparseAutoPGD):
    norm: ClassVar[Norm] = "l1"
    loss: ClassVar[Loss] = cross_entropy
