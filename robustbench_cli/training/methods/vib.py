"""Squeeze the features through a noisy bottleneck that pays for the information it carries.

Alemi et al., "Deep Variational Information Bottleneck", ICLR 2017, arXiv 1612.00410.
CE + β · mean_b KL(N(μ, σ²) ‖ N(0, 1)), summed over the K dimensions of the code; σ = softplus(ρ-5).
The paper: K = 256, β = 1e-3 on MNIST. In eval mode the code is its mean: deterministic. Much of the
robustness reported for bottlenecks was masked gradients (Korshunova et al., 2021).
Cost per step: 1 forward, 1 backward, and a small head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.bottlenecks.bottleneck import Bottleneck
from robustbench_cli.training.method import Method


@dataclass(kw_only=True)
class VIB(Method):
    """Replaces the head by a bottleneck."""

    replaces: ClassVar[str | None] = "head"
    size: int = param(256, "K, dimensions of the code", low=1)
    beta: float = param(1e-3, "weight of the KL term, which is summed over the code", low=0)

    def install(self, model: Model) -> None:
        model.replace_head(lambda head: Bottleneck(head, self.size, self.beta))
