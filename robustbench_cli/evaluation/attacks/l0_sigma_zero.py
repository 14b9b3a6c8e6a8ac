"""Sigma-zero: a smooth count of the changed values, and a threshold that zeroes the small ones.

Cinà et al. 2024, "sigma-zero: Gradient-based Optimization of l0-norm Adversarial Examples",
arXiv:2402.01879.

    minimise  max(z_y - max_{i != y} z_i, 0) + 1/d · sum_j c_j^2 / (c_j^2 + sigma),   x' = x + c
    c <- clip(c - step · g / ||g||_inf),   then c_j <- 0 where |c_j| < tau

tau grows by `tightening` times the step where x' is adversarial, and shrinks by as much where it is
not. The step falls from `step-size` to a tenth of it along a cosine. What counts is the adversarial
with the fewest changed values that was met; epsilon counts values, three for a pixel in colour.
Minimal-norm: runs once for all epsilons. Cost: `steps` forwards and backwards, and one forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import ClassVar

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.algorithms.losses import margin
from robustbench_cli.evaluation.attack import Attack, Crafted, Samples, claim
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param

_TINY = 1e-12


@dataclass(kw_only=True)
class L0SigmaZero(Attack):
    norm: ClassVar[Norm] = "l0"
    budget: ClassVar[bool] = False

    steps: int = param(300, "gradient steps; the paper takes 1000", low=1)
    step_size: float = param(1.0, "first step, in pixels", low=0, unit="one pixel")
    sigma: float = param(1e-3, "how sharply a change counts; squared pixels", low=0)
    threshold: float = param(0.3, "first tau, in pixels", low=0, unit="one pixel")
    tightening: float = param(0.01, "share of the step by which tau moves", low=0)

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        x, labels = samples.x, samples.labels
        images, fewest = x.clone(), torch.full((len(x),), torch.inf, device=x.device)
        change, tau = torch.zeros_like(x), torch.full_like(fewest, self.threshold)
        for i in range(self.steps):
            step = self.step_size * (0.55 + 0.45 * cos(pi * i / self.steps))
            broken, gradient = self._look(model, x, change, labels)
            fewest = _keep(images, fewest, x, change, broken)
            change = change - step * gradient
            change = (x + change).clamp(0, 1) - x
            tau = tau + torch.where(broken, 1.0, -1.0) * self.tightening * step
            tau = tau.clamp(min=0)
            change = torch.where(change.abs() < tau[:, None, None, None], 0.0, change)
        with torch.no_grad():
            broken = model(x + change).argmax(1) != labels
        _keep(images, fewest, x, change, broken)
        return Crafted(images, claim(model, samples, images))

    def _look(
        self, model: Model, x: Tensor, change: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Which are adversarial, (n,), and the gradient of the objective, its largest value 1."""
        with torch.enable_grad():
            c = change.detach().requires_grad_()
            logits = model(x + c)
            squares = c.square()
            count = (squares / (squares + self.sigma)).flatten(1).mean(1)
            value = (-margin(logits, labels)).clamp(min=0) + count
            (gradient,) = torch.autograd.grad(value.sum(), c)
        largest = gradient.flatten(1).abs().amax(1)[:, None, None, None]
        return logits.detach().argmax(1) != labels, gradient / (largest + _TINY)


def _keep(images: Tensor, fewest: Tensor, x: Tensor, change: Tensor, broken: Tensor) -> Tensor:
    """Write what is adversarial with fewer values than before into `images`; the fewest now."""
    moved = (x + change).clamp(0, 1)
    count = (moved != x).flatten(1).sum(1).to(fewest)
    better = broken & (count < fewest)
    images[better] = moved[better]
    return torch.where(better, count, fewest)
