"""Auto-PGD towards each of the likeliest other classes in turn, in L1.

The ascent is the sparse one of l1-apgd-ce.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.apgd_t import TargetedAutoPGD
from robustbench_cli.evaluation.algorithms.l1_apgd import SparseAutoPGD
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L1APGDT(SparseAutoPGD, TargetedAutoPGD):
    norm: ClassVar[Norm] = "l1"
