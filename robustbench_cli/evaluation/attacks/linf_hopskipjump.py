"""HopSkipJump: the boundary's normal from decisions alone, a jump along it, a way back, in Linf.

The direction is sign(g), and u uniform in [-1, 1] before it is scaled to length 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.hop_skip_jump import HopSkipJump
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfHopSkipJump(HopSkipJump):
    norm: ClassVar[Norm] = "linf"
