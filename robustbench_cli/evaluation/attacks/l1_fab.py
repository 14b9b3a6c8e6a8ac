"""FAB in L1: the steepest pixels leap, as far as they may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.fab import FastAdaptiveBoundary
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L1FAB(FastAdaptiveBoundary):
    norm: ClassVar[Norm] = "l1"
