"""Projected gradient descent: steps up the loss, each taken back into the ball.

    x' <- project(x' + step · direction),   step = 2.5 · eps / steps, unless `step-size` is given

so that it can cross the ball. The loss is the cross-entropy, unless another one is named above.
Restarts see only what the earlier ones left.
Cost per epsilon, and per restart where there are any: `steps` forwards and backwards, and one
forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.gradient_descent_base import BaseGradientDescent
from foolbox.models.base import Model

from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack, Crafted, Samples
from robustbench_cli.spec import param

from .targets import Targeted


@dataclass(kw_only=True)
class Descent(Targeted):
    """``x <- project(x + step_size · direction(gradient))``, `steps` times."""

    foolbox: ClassVar[Any]  # the class of Foolbox that runs it

    steps: int = param(40, "gradient steps", low=1)
    step_size: float | None = param(
        None, "pixels per step; none: 2.5·eps/steps", low=0, unit="pixels"
    )

    @property
    def tries(self) -> int:
        """Runs per sample and epsilon."""
        return 1

    def build(self, eps: float | None) -> Any:
        return self.foolbox(
            rel_stepsize=2.5 / self.steps,
            abs_stepsize=self.step_size,
            steps=self.steps,
            random_start=False,
        )


@dataclass(kw_only=True)
class ProjectedDescent(Descent):
    """From a random point of the ball; the best of several such runs."""

    random_start: bool = param(True, "start at a random point of the ball, not at the image")
    restarts: int = param(1, "runs, each for what the earlier ones left", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.restarts > 1 and not self.random_start:
            raise UsageError(
                f"{self.name}: without a random start every restart is the same; restarts=1"
            )

    @property
    def tries(self) -> int:
        return self.restarts

    def build(self, eps: float | None) -> Any:
        tool = super().build(eps)
        tool.random_start = self.random_start
        return tool

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        found = super().craft(model, samples, eps)
        images, claimed = found.images, found.claimed
        assert claimed is not None
        for _ in range(self.restarts - 1):
            left = (~claimed).nonzero()[:, 0]
            if not len(left):
                break
            again = super().craft(model, samples[left], eps)
            assert again.claimed is not None
            images[left], claimed[left] = again.images, again.claimed
        return Crafted(images, claimed)


def steps_alone(attack: Attack) -> bool:
    """Whether each sample can go its own way: a plain descent, without memory between steps."""
    if not isinstance(attack, Descent):
        return False
    own, tool = type(attack).craft, type(attack).foolbox
    return (
        own in (Attack.craft, ProjectedDescent.craft)
        and tool.run is BaseGradientDescent.run
        and tool.get_optimizer is BaseGradientDescent.get_optimizer
    )
