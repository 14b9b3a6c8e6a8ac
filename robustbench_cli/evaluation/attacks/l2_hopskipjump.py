"""HopSkipJump: the boundary's normal from decisions alone, a jump along it, a way back, in L2.

The direction is g / ||g||_2, and u Gaussian. A step has a length of its own for each image;
Foolbox's are the shorter the larger the batch is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.hop_skip_jump import HopSkipJump
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L2HopSkipJump(HopSkipJump):
    norm: ClassVar[Norm] = "l2"
