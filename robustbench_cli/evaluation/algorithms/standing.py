"""What both kinds of Auto-PGD keep of the samples that still stand, and how they look at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Samples
from robustbench_cli.evaluation.mixing import Held

from .geometry import Radius
from .losses import Loss, margin

TELLING = 6
"""The pace of fewer steps than these says nothing."""

_FADING = 1 / 6
"""Of the pace of all steps, what may be expected of those to come: the first ones gain the most."""


@dataclass
class Standing(Held):
    """Samples that still stand, (n, ...) each."""

    x: Tensor
    labels: Tensor
    aims: Tensor
    radius: Radius
    step: Tensor  # (n, 1, 1, 1), in pixels
    point: Tensor
    gradient: Tensor
    best: Tensor  # the best point, its loss and its gradient
    best_value: Tensor
    best_gradient: Tensor
    lead: Tensor  # the least by which the label led the next class
    first_lead: Tensor  # that of `begin`, from which on there is a pace
    checked_lead: Tensor  # that at the last checkpoint

    @classmethod
    def at(
        cls,
        samples: Samples,
        aims: Tensor,
        point: Tensor,
        radius: Radius,
        step: Radius,
        **own: Tensor,
    ) -> Self:
        """All of them at `point`, where nothing was looked at yet; `own`: what a subclass adds."""
        n, device = len(samples), samples.x.device
        lowest, nothing = torch.full((n,), -torch.inf, device=device), torch.zeros_like(point)
        return cls(
            where=torch.arange(n, device=device),
            x=samples.x,
            labels=samples.labels,
            aims=aims,
            radius=radius,
            step=step * torch.ones((n, 1, 1, 1), device=device),
            point=point,
            gradient=nothing,
            best=point,
            best_value=lowest,
            best_gradient=nothing,
            lead=-lowest,
            first_lead=-lowest,
            checked_lead=-lowest,
            **own,
        )

    def look(self, model: Model, loss: Loss, *, slope: bool) -> Tensor:
        """Take in what is at `point`, a gradient only if `slope`; (n,), which are adversarial."""
        with torch.set_grad_enabled(slope):
            point = self.point.detach().requires_grad_(slope)
            logits = model(point)
            value = loss(logits, self.labels, self.aims)
            if slope:
                (gradient,) = torch.autograd.grad(value.sum(), point)
            else:
                gradient = self.gradient
        logits = logits.detach()
        self.learn(value.detach(), gradient)
        self.lead = torch.minimum(self.lead, -margin(logits, self.labels))
        return logits.argmax(1) != self.labels

    def learn(self, value: Tensor, gradient: Tensor) -> None:
        """Take in the loss and the gradient at `point`."""
        self.gradient, better = gradient, value > self.best_value
        wide = better[:, None, None, None]
        self.best = torch.where(wide, self.point, self.best)
        self.best_gradient = torch.where(wide, gradient, self.best_gradient)
        self.best_value = torch.where(better, value, self.best_value)

    def begin(self) -> None:
        """Go by the lead that is reached now as the first."""
        self.first_lead = self.checked_lead = self.lead

    def hopeful(self, interval: int, done: int, left: int, patience: float) -> Tensor:
        """(n,): whether the `left` steps may suffice at `patience` times the pace.

        That is the faster of two: since the last checkpoint, so many steps ago as `interval` says
        (or since the first step, before there was one), and a part of that of all that were
        `done`, since steps that are too large stand still until they are halved.
        """
        last = (self.checked_lead - self.lead) / interval
        whole = (self.first_lead - self.lead) / done
        return self.lead <= patience * left * torch.maximum(last, whole * _FADING)
