"""Sparse L1 descent: steps along the largest values of the gradient, projected, in L1.

Tramèr & Boneh 2019, "Adversarial Training and Robustness for Multiple Perturbations",
arXiv:1904.13000, where it is called SLIDE.

    direction = e / ||e||_1,   e = sign(g) where |g| is in its top share, else 0

The share is 1 - `quantile`; values at 0 or 1 that would leave [0, 1] are left out. The projection
is exact, and each sample's own; Foolbox's is neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from robustbench_cli.evaluation.algorithms.descent import ProjectedDescent
from robustbench_cli.evaluation.algorithms.mended import ProjectedSparseL1
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class L1PGD(ProjectedDescent):
    norm: ClassVar[Norm] = "l1"
    foolbox: ClassVar[Any] = ProjectedSparseL1

    quantile: float = param(0.99, "share of the values that a step leaves", low=0, high=1)

    def build(self, eps: float | None) -> Any:
        tool = super().build(eps)
        tool.quantile = self.quantile
        return tool
