"""FAB in Linf: all pixels leap equally far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.fab import FastAdaptiveBoundary
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfFAB(FastAdaptiveBoundary):
    norm: ClassVar[Norm] = "linf"
