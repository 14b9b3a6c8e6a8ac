"""Silence each unit before a fully connected layer at random, anew in every training forward.

Srivastava et al., "Dropout", JMLR 2014. h̃ = h · mask / (1 - r), mask ~ Bernoulli(1 - r), in train
mode only; r = 0.5 on hidden units. Hidden means that a linear layer which sees the image itself is
left alone. The dropout moves into the linear layer, so the names of the weights stay what they
were; deploying takes it out again. A method that replaces the head belongs to the left of this one
(`vib+dropout`), or the head's dropout goes with the old head. An attack in train mode sees dropout,
as in the authors' codes that attack in train mode. Monte Carlo dropout at test time is another
classifier, and not this.
Cost per step: 1 forward, 1 backward.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.hooks import replace_modules
from robustbench_cli.training.method import Method


class DropoutLinear(nn.Linear):
    """A linear layer, with its own weights, whose inputs drop out in train mode."""

    def __init__(self, linear: nn.Linear, rate: float) -> None:
        # "meta": neither memory nor random numbers for weights that are replaced at once
        super().__init__(linear.in_features, linear.out_features, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.dropout(x, self.rate, self.training))

    def plain(self) -> nn.Linear:
        linear = nn.Linear(self.in_features, self.out_features, device="meta")
        linear.weight, linear.bias = self.weight, self.bias
        return linear


@dataclass(kw_only=True)
class Dropout(Method):
    """Puts dropout into every fully connected layer but one that sees the image."""

    rate: float = param(0.5, "r, the probability that a unit is silent", low=0, high=1)

    def install(self, model: Model) -> None:
        weighted = (m for m in model.network.modules() if [*m.parameters(recurse=False)])
        first = next(weighted, None)

        def make(linear: nn.Linear) -> nn.Linear:
            return linear if linear is first else DropoutLinear(linear, self.rate)

        replace_modules(model, nn.Linear, make)
        found = any(isinstance(m, DropoutLinear) for m in model.modules())
        self.needs(found, "hidden units before a linear layer")

    def deploy(self, model: Model) -> None:
        replace_modules(model, DropoutLinear, DropoutLinear.plain)
