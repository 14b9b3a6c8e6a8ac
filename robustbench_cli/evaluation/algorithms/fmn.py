"""What the fast minimum-norm attacks of the four norms have in common."""

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
    """Parameters, and Foolbox's class that takes them.

    The walk starts at the image. While it has met no adversarial, its ball reaches just to where
    the boundary seems to be, and it may creep up to the boundary and never cross it; such samples
    walk once more, from an adversarial on the line to another image of the set.
    """

    foolbox: ClassVar[Any]
    budget: ClassVar[bool] = False

    steps: int = param(100, "gradient steps", low=1)
    step_size: float = param(1.0, "first step, in pixels (L2)", low=0)
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
