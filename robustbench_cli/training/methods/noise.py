"""Train on images under fresh Gaussian noise, as randomized smoothing needs it.

Cohen, Rosenfeld & Kolter, "Certified Adversarial Robustness via Randomized Smoothing", ICML 2019,
arXiv 1902.02918. x̃ = x + N(0, σ²I), before the normalisation and, as in the authors' code, not
clamped to [0, 1] (`clamp` does). The authors: σ = 0.12, 0.25, 0.5 or 1, certified with the same σ.
Without smoothing at test time this is augmentation, not a defence.
Cost per step: 1 forward, 1 backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Method, Step


@dataclass(kw_only=True)
class Noise(Method):
    """Adds noise before everything that stands to its right."""

    resamples: ClassVar[bool] = True
    sigma: float = param(0.25, "σ, standard deviation in pixels of [0, 1]", low=0, unit="one pixel")
    clamp: bool = param(False, "keep the noisy pixels in [0, 1]")

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        x = batch.x + self.sigma * torch.randn_like(batch.x)
        return rest(model, batch.replace(x=x.clamp(0, 1) if self.clamp else x))
