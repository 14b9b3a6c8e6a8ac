"""At test time: forget random pixels and fill the image in as smoothly as it can be.

Guo et al., "Countering Adversarial Images using Input Transformations", ICLR 2018, arXiv
1711.00117; Rudin, Osher & Fatemi 1992. x̃ = argmin_z ½ Σ_kept (z - x)² + weight · Σ |∇z|, a random
half of the pixels kept, weight 0.03, each channel by itself. Squared distances and |∇z| of both
directions together, where the paper has the plain norm and rows and columns apart. By `steps` of
Chambolle & Pock's (2011) primal-dual iteration on the whole batch.
By default gradients are those of the identity (BPDA, by which Athalye et al. 2018 broke it);
`unrolled` is the exact gradient of the iteration for the pixels that were kept.
Cost per prediction: `draws` forwards, and `steps` cheap sweeps over the image for each. Training is
not changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from robustbench_cli.spec import param
from robustbench_cli.training.defences.averaging import Averaged
from robustbench_cli.training.defences.denoise import smoothest
from robustbench_cli.training.defences.surrogate import replace_value


@dataclass(kw_only=True)
class TotalVariation(Averaged):
    """Smooths before everything that stands to its right."""

    weight: float = param(0.03, "of the variation, against squared pixels", low=0)
    drop: float = param(0.5, "share of the pixels that are forgotten", low=0, high=0.99)
    steps: int = param(50, "iterations", low=1)
    draws: int = param(1, "random choices of pixels that a prediction averages", low=1)
    gradient: Literal["straight-through", "unrolled", "none"] = param(
        "straight-through", "what an attack sees of the smoothing"
    )

    def vary(self, x: Tensor) -> Tensor:
        kept = (torch.rand(len(x), 1, *x.shape[2:], device=x.device) >= self.drop).to(x.dtype)
        seen = x if self.gradient == "unrolled" else x.detach()
        return replace_value(x, smoothest(seen, kept, self.weight, self.steps), self.gradient)
