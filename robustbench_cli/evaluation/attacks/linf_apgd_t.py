"""Auto-PGD towards each of the likeliest other classes in turn, in Linf.

The direction is sign(gradient).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.apgd_t import TargetedAutoPGD
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfAPGDT(TargetedAutoPGD):
    norm: ClassVar[Norm] = "linf"
