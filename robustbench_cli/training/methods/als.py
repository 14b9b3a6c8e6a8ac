"""Adversarial label smoothing: move label mass to the class the network finds least likely.

Goibert & Dohmatob, "Adversarial Robustness via Label-Smoothing", 2019, arXiv 1906.11567.
T = (1-α)y + α·q. `argmin`: q = onehot(argmin_c p_c); ties share the mass; where the least likely
class is the label itself nothing changes. `boltzmann`, the paper's sibling: q = softmax(-z/T) of
the logits z, which tends to `argmin` for small T and to uniform smoothing for large T. Neither p
nor z carries a gradient. No attack has a part in it, and logit gaps shrink as they do with
`label-smoothing`, so that FGSM may find less merely because gradients vanish.
Cost per step: 1 forward, 1 backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from robustbench_cli.spec import param
from robustbench_cli.training.method import Method


@dataclass(kw_only=True)
class ALS(Method):
    """Changes labels once the logits are known."""

    alpha: float = param(0.1, "label mass that moves", low=0, high=1)
    towards: Literal["argmin", "boltzmann"] = param("argmin", "the classes that receive it")
    temperature: float = param(0.1, "T of boltzmann", low=1e-3)

    def targets(self, logits: Tensor, y: Tensor) -> Tensor:
        scores = logits.detach()
        if self.towards == "boltzmann":
            least = (-scores.float() / self.temperature).softmax(1).to(y.dtype)
        else:
            tied = (scores == scores.amin(1, keepdim=True)).to(y.dtype)
            least = tied / tied.sum(1, keepdim=True)
        return (1 - self.alpha) * y + self.alpha * least
