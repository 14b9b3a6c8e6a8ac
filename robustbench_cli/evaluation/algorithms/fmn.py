"""Fast minimum-norm in every norm: gradient steps in a ball that closes in on an adversarial.

Pintor et al. 2021, "Fast Minimum-norm Adversarial Attacks through Adaptive Norm Constraints",
arXiv:2102.12827.

    x' <- project(x' + step · g / ||g||_2, eps'),   eps' <- (1 - gamma) · eps' if x' is adversarial

with g the gradient of max_{i != y} z_i - z_y; eps' grows by gamma again where x' no longer is. The
step falls to 1 % of its first value, and gamma to 0.001. x' starts at the image. As long as it has
met no adversarial, it may creep up to the boundary and never cross it; such samples walk once more,
from an adversarial on the line to another image of the set, or to noise.
Minimal-norm: runs once for all epsilons. Cost: `steps` forwards and backwards; twice as many,
and some twenty forwards, where the first walk finds nothing.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from eagerpy.astensor import astensor
from foolbox.models.base import Model

from robustbench_cli.evaluation.attack import Crafted, Samples, claim
from robustbench_cli.spec import param

from .starts import starting_points
from .targets import Targeted


@dataclass(kw_only=True)
class FastMinimumNorm(Targeted):
    """Parameters, and Foolbox's class that takes them; its variants differ by norm."""

    foolbox: ClassVar[Any]
    budget: ClassVar[bool] = False

    steps: int = param(100, "gradient steps", low=1)
    step_size: float = param(1.0, "first step, in pixels (L2)", low=0, unit="l2")
    gamma: float = param(0.05, "share by which the ball shrinks or grows at first", low=0, high=1)

    def build(self, eps: float | None) -> Any:
        return self.foolbox(steps=self.steps, max_stepsize=self.step_size, gamma=self.gamma)

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        found = super().craft(model, samples, eps)
        assert found.claimed is not None
        left = (~found.claimed).nonzero()[:, 0]
        if not len(left):
            return found
        starts, started = starting_points(model, samples[left], draws=25)
        left, starts = left[started], starts[started]
        images = found.images.clone()
        if len(left):
            part = samples[left]
            with suppress(AssertionError):  # a random network denies a start on second thoughts
                images[left] = self.build(eps).run(
                    model, part.x, part.criterion, starting_points=astensor(starts)
                )
        return replace(found, images=images, claimed=claim(model, samples, images))
