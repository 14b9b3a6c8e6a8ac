"""FAB in L2: pixels leap in proportion to the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.fab import FastAdaptiveBoundary
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L2FAB(FastAdaptiveBoundary):
    norm: ClassVar[Norm] = "l2"
