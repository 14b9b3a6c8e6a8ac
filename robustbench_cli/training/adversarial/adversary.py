"""The inner maximisation that adversarial training shares: projected gradient ascent in a ball."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.models.model import Model
from robustbench_cli.spec import number, param
from robustbench_cli.training.hooks import eval_mode
from robustbench_cli.training.method import Method

Mode = Literal["eval", "train"]


@dataclass(kw_only=True)
class Bounded(Method):
    """A method that moves images inside a ball. Every length is in pixels of [0, 1]."""

    norm = "linf"  # no parameter here; a subclass may make it one
    eps: float | None = param(
        None, "radius of the ball; none: usual for the data set", low=0, unit="pixels"
    )

    def adapt(self, dataset: Dataset) -> None:
        if self.eps is None:
            self.eps = float(number(dataset.usual_eps(self.norm, "train_eps")))

    @property
    def radius(self) -> float:
        """eps, or 8/255 where no data set has decided it."""
        return 8 / 255 if self.eps is None else self.eps

    def ascend(
        self,
        model: Model,
        x: Tensor,
        loss: Callable[[Tensor], Tensor],
        start: Tensor,
        step: float,
        steps: int = 1,
    ) -> Tensor:
        """From `start`, `steps` steps of length `step` up ``loss(logits)``, in the ball around x.

        All images are (N, C, H, W) in [0, 1]. Costs `steps` forwards and backwards in the mode
        that the model is in; touches no gradients.
        """
        adversarial = start
        for _ in range(steps):
            adversarial = adversarial.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(loss(model(adversarial)), adversarial)
            adversarial = self.inside(
                x, adversarial.detach() + step * self.direction(gradient) - x, self.radius
            )
        return adversarial.detach()

    def start(self, x: Tensor, eps: float) -> Tensor:
        """A displacement drawn uniformly from the ball of radius `eps`."""
        if self.norm == "linf":
            return torch.empty_like(x).uniform_(-eps, eps)
        # uniform in the ball: a Gaussian direction, and a radius with density r^(d-1)
        direction = self.direction(torch.randn_like(x))
        radius = torch.rand(len(x), 1, 1, 1, device=x.device).pow(1 / x[0].numel())
        return eps * radius * direction

    def direction(self, gradient: Tensor) -> Tensor:
        """The unit vector of steepest ascent in the norm."""
        if self.norm == "linf":
            return gradient.sign()
        length: Tensor = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)
        return gradient / length.reshape(-1, 1, 1, 1)

    def inside(self, x: Tensor, delta: Tensor, eps: float) -> Tensor:
        """x + delta, with delta shortened to the ball and the sum to [0, 1]."""
        if self.norm == "linf":
            delta = delta.clamp(-eps, eps)
        else:
            length = delta.flatten(1).norm(dim=1).clamp(min=1e-12).reshape(-1, 1, 1, 1)
            delta = delta * (eps / length).clamp(max=1)
        return (x + delta).clamp(0, 1)


@dataclass(kw_only=True)
class Adversarial(Bounded):
    """A method with an inner maximisation by projected gradient ascent."""

    step_size: float | None = param(
        None, "length of a step; none: 2.5 eps / steps", low=0, unit="pixels"
    )
    steps: int = param(10, "gradient steps per batch", low=1)
    norm: Literal["linf", "l2"] = param("linf", "norm of the ball")
    random_start: bool = param(True, "start at a random point of the ball")
    # authors differ: "train" attacks batch statistics and pollutes the running ones
    attack_bn: Mode = param("eval", "mode of the network under attack")

    def perturb(self, model: Model, x: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
        """x (N, C, H, W) moved to raise ``loss(logits)``, inside the ball and inside [0, 1].

        Costs `steps` forwards and backwards; touches neither gradients nor, with
        ``attack_bn="eval"``, buffers of the model.
        """
        eps, x = self.radius, x.detach()
        step = 2.5 * eps / self.steps if self.step_size is None else self.step_size
        start = self.inside(x, self.start(x, eps), eps) if self.random_start else x
        with attacking(model, self.attack_bn):
            return self.ascend(model, x, loss, start, step, self.steps)


def attacking(model: Model, mode: Mode) -> AbstractContextManager[None]:
    """While open, the network is in the mode in which it is attacked."""
    return eval_mode(model) if mode == "eval" else nullcontext()
