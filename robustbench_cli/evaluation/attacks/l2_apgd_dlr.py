"""Auto-PGD on the difference of logits ratio, which no scale of the logits flattens, in L2.

The direction is gradient / ||gradient||_2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.apgd_dlr import RatioAutoPGD
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L2APGDDLR(RatioAutoPGD):
    norm: ClassVar[Norm] = "l2"
