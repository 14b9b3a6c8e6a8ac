"""Auto-PGD: gradient ascent with momentum whose step size looks after itself.

Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks", arXiv:2003.01690.

    z   = project(x' + step · direction)
    x'' = project(x' + 0.75 · (z - x') + 0.25 · (x' - previous x'))

It starts with step = 2·eps at a random point of the sphere. At checkpoints (after 22 % of the
steps, then at distances that shrink by 3 % down to 6 %) a sample's step is halved and its walk goes
on from the best point so far, if the loss rose in less than 75 % of the steps since the last
checkpoint, or if neither the step nor the best loss has changed since. A sample leaves the batch
with its first adversarial; restarts see only what the earlier ones left.
With `patience`, a sample is also given up, at a checkpoint, where its label would still lead at the
end if its least lead went on falling at `patience` times the pace since the last checkpoint.
Cost per epsilon, restart and, where it aims, target: `steps` forwards and backwards, and two
forwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import ClassVar, Self

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack, Crafted, Samples
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param

from .geometry import on_the_sphere, project, steepest
from .losses import Loss, margin
from .restarts import Try, until_broken

_TELLING = 6
"""The pace of fewer steps than these says nothing."""


@dataclass(kw_only=True)
class AutoPGD(Attack):
    """What its variants share; they differ by norm and loss."""

    loss: ClassVar[Loss]
    classes: ClassVar[int] = 2  # the fewest that the loss can tell apart

    steps: int = param(100, "gradient steps", low=1)
    restarts: int = param(1, "random starts, each for what the earlier ones left", low=1)
    patience: float | None = param(
        None, "give up what would not break at so many times its pace; none: never", low=0
    )

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        assert eps is not None
        return until_broken(model, samples, eps, self.norm, self._tries(model, samples, eps))

    def _tries(self, model: Model, samples: Samples, eps: float) -> Iterator[Try]:
        self.count_classes(model, samples)
        for _ in range(self.restarts):
            yield lambda part, at: self.run(model, part, part.labels, eps)

    def run(self, model: Model, samples: Samples, aims: Tensor, eps: float) -> Tensor:
        """One ascent; `aims` (n,) are for a loss that aims."""
        lanes = Lanes.start(samples, aims, eps, self.norm)
        return ascend(model, lanes, eps, self.norm, type(self).loss, self.steps, self.patience)

    def count_classes(self, model: Model, samples: Samples) -> int:
        """
        Raises:
            UsageError: too few for this loss.
        """
        with torch.no_grad():
            found = model(samples.x[:1]).shape[1]
        if found < self.classes:
            raise UsageError(
                f"{self.name} needs {self.classes} classes or more, and this network has {found}; "
                f"use -a {self.norm}-apgd-ce or -a {self.norm}-pgd-margin"
            )
        return int(found)


@dataclass
class Lanes:
    """What is known of each sample that still stands, (n, ...) each."""

    where: Tensor  # its place in the batch
    x: Tensor
    labels: Tensor
    aims: Tensor
    step: Tensor  # (n, 1, 1, 1), in pixels
    point: Tensor
    before: Tensor  # the point before
    value: Tensor  # the loss at the last point that was looked at
    best: Tensor  # the best point, its loss and its gradient
    best_value: Tensor
    best_gradient: Tensor
    gradient: Tensor
    rises: Tensor  # steps since the last checkpoint in which the loss rose
    checked_value: Tensor  # the best loss at the last checkpoint
    halved: Tensor  # whether the last checkpoint halved the step
    lead: Tensor  # the least by which the label led the next class
    checked_lead: Tensor  # that at the last checkpoint

    @classmethod
    def start(cls, samples: Samples, aims: Tensor, eps: float, norm: Norm) -> Self:
        n, device = len(samples), samples.x.device
        point = on_the_sphere(samples.x, eps, norm).clamp(0, 1)
        lowest = torch.full((n,), -torch.inf, device=device)
        nothing = torch.zeros_like(point)
        return cls(
            where=torch.arange(n, device=device),
            x=samples.x,
            labels=samples.labels,
            aims=aims,
            step=torch.full((n, 1, 1, 1), 2 * eps, device=device),
            point=point,
            before=point,
            value=lowest,
            best=point,
            best_value=lowest,
            best_gradient=nothing,
            gradient=nothing,
            rises=torch.zeros(n, device=device),
            checked_value=lowest,
            halved=torch.ones(n, dtype=torch.bool, device=device),
            lead=-lowest,
            checked_lead=-lowest,
        )

    def keep(self, stays: Tensor) -> None:
        for f in fields(self):
            setattr(self, f.name, getattr(self, f.name)[stays])

    def learn(self, value: Tensor, gradient: Tensor) -> None:
        """Take in the loss and the gradient at `point`."""
        self.rises = self.rises + (value > self.value)
        self.value, self.gradient = value, gradient
        better = value > self.best_value
        wide = better[:, None, None, None]
        self.best = torch.where(wide, self.point, self.best)
        self.best_gradient = torch.where(wide, gradient, self.best_gradient)
        self.best_value = torch.where(better, value, self.best_value)

    def check(self, interval: int) -> None:
        """At a checkpoint: halve the step and go back to the best point, where it does no good."""
        restless = self.rises <= 0.75 * interval
        stuck = ~self.halved & (self.checked_value >= self.best_value)
        self.halved = restless | stuck
        wide = self.halved[:, None, None, None]
        self.step = torch.where(wide, self.step / 2, self.step)
        self.point = torch.where(wide, self.best, self.point)
        self.gradient = torch.where(wide, self.best_gradient, self.gradient)
        self.checked_value, self.rises = self.best_value, torch.zeros_like(self.rises)

    def hopeful(self, interval: int, left: int, patience: float) -> Tensor:
        """(n,), at a checkpoint: whether the `left` steps may suffice at `patience` times the pace
        of the last `interval`."""
        pace = (self.checked_lead - self.lead) / interval
        self.checked_lead = self.lead
        return self.lead <= patience * pace * left

    def move(self, eps: float, norm: Norm, momentum: float) -> None:
        ahead = self.point + self.step * steepest(self.gradient, norm)
        ahead = project(self.x, ahead, eps, norm)
        inertia = (1 - momentum) * (self.point - self.before)
        ahead = self.point + momentum * (ahead - self.point) + inertia
        self.before, self.point = self.point, project(self.x, ahead, eps, norm)


def ascend(
    model: Model,
    lanes: Lanes,
    eps: float,
    norm: Norm,
    loss: Loss,
    steps: int,
    patience: float | None = None,
) -> Tensor:
    """Images (n, C, H, W): the first adversarial of each sample, else its point of largest loss."""
    images, marks = lanes.x.clone(), checkpoints(steps)
    for i in range(steps + 1):
        logits, value, gradient = _look(model, lanes, loss, slope=i < steps)
        lanes.learn(value, gradient)
        lanes.lead = torch.minimum(lanes.lead, -margin(logits, lanes.labels))
        broken = logits.argmax(1) != lanes.labels
        if len(gone := broken.nonzero()[:, 0]):
            images[lanes.where[gone]] = lanes.point[gone]
            lanes.keep((~broken).nonzero()[:, 0])
        if not len(lanes.where) or i == steps:
            break
        if i <= 1:
            lanes.checked_lead = lanes.lead  # the leap from a random start is no pace
        if i == 0:
            lanes.rises.zero_()  # the first look is no rise
            lanes.checked_value = lanes.best_value
        elif i in marks:
            lanes.check(marks[i])
            if patience is not None and marks[i] >= _TELLING:
                hopeful = lanes.hopeful(marks[i], steps - i, patience)
                images[lanes.where] = lanes.best
                lanes.keep(hopeful)
                if not len(lanes.where):
                    break
        lanes.move(eps, norm, momentum=0.75 if i else 1.0)
    images[lanes.where] = lanes.best
    return images


def checkpoints(steps: int) -> dict[int, int]:
    """After which step there is a checkpoint, and how many steps after the one before."""
    interval, marks, at = max(int(0.22 * steps), 1), dict[int, int](), 0
    while at + interval <= steps:
        at += interval
        marks[at] = interval
        interval = max(interval - max(int(0.03 * steps), 1), max(int(0.06 * steps), 1))
    return marks


def _look(model: Model, lanes: Lanes, loss: Loss, *, slope: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, loss and, if `slope`, its gradient at the lanes' points."""
    with torch.set_grad_enabled(slope):
        point = lanes.point.detach().requires_grad_(slope)
        logits = model(point)
        value = loss(logits, lanes.labels, lanes.aims)
        if slope:
            (gradient,) = torch.autograd.grad(value.sum(), point)
        else:
            gradient = lanes.gradient
    return logits.detach(), value.detach(), gradient
