"""Contrast reduction: towards a grey image, as little as suffices, measured in L2.

A corruption rather than an attack; of Foolbox.

    x' = (1 - t) · x + t · grey,   t by bisection

Minimal-norm: runs once for all epsilons. Cost: `steps` + 1 forwards. No randomness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from foolbox import distances
from foolbox.attacks.contrast_min import BinarySearchContrastReductionAttack

from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class L2Contrast(Attack):
    norm: ClassVar[Norm] = "l2"
    budget: ClassVar[bool] = False
    access: ClassVar[Literal["decision"]] = "decision"

    steps: int = param(15, "halvings of t", low=1)
    grey: float = param(0.5, "where all pixels go", low=0, high=1)

    def build(self, eps: float | None) -> Any:
        return BinarySearchContrastReductionAttack(
            distance=distances.l2, binary_search_steps=self.steps, target=self.grey
        )
