"""The inner maximisation that adversarial training shares: projected gradient ascent in a ball."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.models.model import Model
from robustbench_cli.spec import number, param

from .hooks import eval_mode
from .method import Method


@dataclass(kw_only=True)
class Adversarial(Method):
    """A method with an inner maximisation. Every length is in pixels of [0, 1]."""

    eps: float | None = param(None, "radius of the ball; none: usual for the data set", low=0)
    step_size: float | None = param(None, "length of a step; none: 2.5 eps / steps", low=0)
    steps: int = param(10, "gradient steps per batch", low=1)
    norm: Literal["linf", "l2"] = param("linf", "norm of the ball")
    random_start: bool = param(True, "start at a uniformly drawn point of the ball")
    # authors differ: "train" attacks batch statistics and pollutes the running ones
    attack_bn: Literal["eval", "train"] = param("eval", "mode of the network under attack")

    def adapt(self, dataset: Dataset) -> None:
        if self.eps is None:
            self.eps = float(number(dataset.train_eps[self.norm]))

    def perturb(self, model: Model, x: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
        """x (N, C, H, W) moved to raise ``loss(logits)``, inside the ball and inside [0, 1].

        Costs `steps` forwards and backwards; touches neither gradients nor, with
        ``attack_bn="eval"``, buffers of the model.
        """
        eps = 8 / 255 if self.eps is None else self.eps
        step = 2.5 * eps / self.steps if self.step_size is None else self.step_size
        x = x.detach()
        adversarial = self._inside(x, self._start(x, eps), eps) if self.random_start else x
        with eval_mode(model) if self.attack_bn == "eval" else nullcontext():
            for _ in range(self.steps):
                adversarial = adversarial.detach().requires_grad_()
                (gradient,) = torch.autograd.grad(loss(model(adversarial)), adversarial)
                adversarial = self._inside(
                    x, adversarial.detach() + step * self._direction(gradient) - x, eps
                )
        return adversarial.detach()

    def _start(self, x: Tensor, eps: float) -> Tensor:
        if self.norm == "linf":
            return torch.empty_like(x).uniform_(-eps, eps)
        # uniform in the ball: a Gaussian direction, and a radius with density r^(d-1)
        direction = self._direction(torch.randn_like(x))
        radius = torch.rand(len(x), 1, 1, 1, device=x.device).pow(1 / x[0].numel())
        return eps * radius * direction

    def _direction(self, gradient: Tensor) -> Tensor:
        """The unit vector of steepest ascent in the norm."""
        if self.norm == "linf":
            return gradient.sign()
        length: Tensor = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)
        return gradient / length.reshape(-1, 1, 1, 1)

    def _inside(self, x: Tensor, delta: Tensor, eps: float) -> Tensor:
        if self.norm == "linf":
            delta = delta.clamp(-eps, eps)
        else:
            length = delta.flatten(1).norm(dim=1).clamp(min=1e-12).reshape(-1, 1, 1, 1)
            delta = delta * (eps / length).clamp(max=1)
        return (x + delta).clamp(0, 1)
