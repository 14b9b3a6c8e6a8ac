"""Penalise how strongly the logits react to the pixels: the Frobenius norm of the Jacobian.

Hoffman, Roberts & Yaida, "Robust Learning with Jacobian Regularization", 2019, arXiv 1908.02729;
Sokolić et al., 2017. CE + λR, R = ½ mean_b ‖∂z/∂x‖²_F, estimated without bias from n random unit
vectors v per sample: R ≈ ½ C/n Σ_v mean_b ‖vᵀ∂z/∂x‖². `projections=-1` is exact, by C backwards.
The authors: λ = 0.01, n = 1. The factor is C, as in their formula and code (their docstring says
√C). In train mode a batch norm ties samples together; as in their code, what other samples' pixels
do to a logit is then part of the norm.
Cost per step: 1 forward, n backwards with a graph, and their own backward: about 1 + 3n backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Method, Step


def half_squared_norm(logits: Tensor, x: Tensor, projections: int) -> Tensor:
    """½ mean_b ‖∂logits/∂x‖²_F, a scalar that can be differentiated; exact for `projections` < 0.

    logits (N, classes) must have been computed from x (N, C, H, W).
    """
    n, classes = logits.shape
    count = classes if projections < 0 else projections
    total = x.new_zeros(())
    for i in range(count):
        if projections < 0:
            v = torch.zeros_like(logits)
            v[:, i] = 1
        else:
            v = torch.nn.functional.normalize(torch.randn_like(logits), dim=1)
        (slope,) = torch.autograd.grad(logits, x, v, create_graph=True)
        total = total + slope.square().sum()
    return total * classes / (2 * count * n)


@dataclass(kw_only=True)
class Jacobian(Method):
    """Adds the penalty to each training forward's loss."""

    innermost: ClassVar[bool] = True
    weight: float = param(0.01, "λ, weight of the penalty", low=0)
    projections: int = param(1, "n, random projections; -1: all, exactly", low=-1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.projections == 0:
            raise UsageError("jacobian: projections=0 measures nothing; type 1 or more, or -1")

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        x = batch.x if batch.x.requires_grad else batch.x.detach().requires_grad_()
        outcome = rest(model, batch.replace(x=x))
        penalty = half_squared_norm(outcome.logits, x, self.projections)
        return outcome._replace(loss=outcome.loss + self.weight * penalty)
