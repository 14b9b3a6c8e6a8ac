"""At test time: average the probabilities over images under Gaussian noise.

A baseline of Pang, Xu & Zhu, "Mixup Inference", ICLR 2020, arXiv 1909.11515: σ = 0.05, 30 draws.
x̃ = x + N(0, σ²I), not clamped to [0, 1], as in the authors' code. It certifies nothing; for that
see `smoothing`. The gradient is exact, that of the noisy images; an attack should average it too.
Cost per prediction: `draws` forwards. Training is not changed; `noise` trains under noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from robustbench_cli.spec import param
from robustbench_cli.training.defences.averaging import Averaged


@dataclass(kw_only=True)
class NoisyInference(Averaged):
    """Adds noise to each version of the image."""

    sigma: float = param(0.05, "σ, standard deviation in pixels of [0, 1]", low=0, unit="one pixel")

    def vary(self, x: Tensor) -> Tensor:
        return x + self.sigma * torch.randn_like(x)
