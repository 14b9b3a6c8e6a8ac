"""Auto-PGD towards each of the likeliest other classes in turn, in L2.

The direction is gradient / ||gradient||_2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.apgd_t import TargetedAutoPGD
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L2APGDT(TargetedAutoPGD):
    norm: ClassVar[Norm] = "l2"
