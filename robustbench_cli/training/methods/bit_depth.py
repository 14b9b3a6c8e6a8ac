"""At test time: keep fewer bits of each pixel.

Xu, Evans & Qi, "Feature Squeezing", NDSS 2018, arXiv 1704.01155; one of the transformations of Guo
et al., ICLR 2018, arXiv 1711.00117, who keep 3 bits. x̃ = round((2ᵇ - 1)·x) / (2ᵇ - 1).
Rounding has no gradient, and an attack that believes this finds nothing. So gradients pass through
as if nothing had been rounded (BPDA, Athalye et al. 2018); `gradient=none` shows what hiding them
is worth, which is not robustness.
Cost per prediction: 1 forward. The same answer each time. Training is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.defences.surrogate import Gradient, rounded
from robustbench_cli.training.method import Method, Predict


@dataclass(kw_only=True)
class BitDepth(Method):
    """Rounds the pixels before everything that stands to its right."""

    bits: int = param(3, "b, bits that are kept", low=1, high=16)
    gradient: Gradient = param("straight-through", "what an attack sees of the rounding")

    def predict(self, model: Model, x: Tensor, rest: Predict) -> Tensor:
        levels = 2**self.bits - 1
        return rest(model, rounded(x * levels, self.gradient) / levels)
