"""Train towards labels that leave a little mass on every class.

Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016, arXiv 1512.00567.
T = (1-α)Y + α/C, α = 0.1. Some codes spread α over the C-1 wrong classes instead:
T = (1-α)Y + α(1-Y)/(C-1), `over=wrong`, which is not the same α. Only the labels of the training
loss change: attacks and class statistics see the batch's own. It knows nothing of attacks and
shrinks logit gaps: a better FGSM number may be a vanishing gradient.
Cost per step: 1 forward, 1 backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from robustbench_cli.spec import param
from robustbench_cli.training.method import Method


@dataclass(kw_only=True)
class LabelSmoothing(Method):
    """Changes the labels of the loss."""

    alpha: float = param(0.1, "label mass that is spread", low=0, high=1)
    over: Literal["all", "wrong"] = param("all", "classes that share it")

    def targets(self, logits: Tensor, y: Tensor) -> Tensor:
        classes = y.shape[1]
        if self.over == "all":
            return (1 - self.alpha) * y + self.alpha / classes
        return (1 - self.alpha) * y + self.alpha * (1 - y) / max(classes - 1, 1)
