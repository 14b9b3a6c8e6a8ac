"""Auto-PGD on the difference of logits ratio, which no scale of the logits flattens, in Linf.

The direction is sign(gradient).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.apgd_dlr import RatioAutoPGD
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfAPGDDLR(RatioAutoPGD):
    norm: ClassVar[Norm] = "linf"
