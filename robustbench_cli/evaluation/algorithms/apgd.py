"""Auto-PGD: gradient ascent with momentum whose step size looks after itself.

Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks", arXiv:2003.01690.

    z   = project(x' + step · direction)
    x'' = project(x' + 0.75 · (z - x') + 0.25 · (x' - previous x'))

It starts with step = 2·eps at a random point of the sphere. At checkpoints (after 22 % of the
steps, then at distances that shrink by 3 % down to 6 %) a sample's step is halved and its walk goes
on from the best point so far, if the loss rose in less than 75 % of the steps since the last
checkpoint, or if neither the step nor the best loss has changed since. A sample leaves the batch
with its first adversarial; restarts see only what the earlier ones left, or with `near` only what
nearly broke, all restarts at once: what a ball larger by that share would break, if the label's
lead went on falling with the radius as it fell up to there.
With `patience`, a sample is also given up, at a checkpoint, where its label would still lead at the
end if its least lead went on falling at `patience` times its pace: that since the last checkpoint,
or a sixth of that since the first step, whichever is faster; and halfway to the first checkpoint,
by its pace since the first step.
Cost per epsilon, restart and, where it aims, target: `steps` forwards and backwards, and two
forwards; with `near` of a restart for the few that get one, and a forward.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Samples
from robustbench_cli.evaluation.mixing import Mixing, Turns
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param

from .geometry import Radius, on_the_sphere, project, steepest
from .losses import Loss
from .restarts import NEAR
from .standing import TELLING, Standing


@dataclass(kw_only=True)
class AutoPGD(Mixing):
    """What its variants share; they differ by norm and loss."""

    loss: ClassVar[Loss]
    pauses: ClassVar[tuple[float, ...]] = (0.1,)
    classes: ClassVar[int] = 2  # the fewest that the loss can tell apart

    steps: int = param(100, "gradient steps", low=1)
    restarts: int = param(1, "random starts, each for what the earlier ones left", low=1)
    near: float | None = param(None, NEAR, low=0)
    patience: float | None = param(
        None, "give up what would not break at so many times its pace; none: never", low=0
    )

    def aims_of(self, model: Model, samples: Samples) -> Tensor:
        return self.goals(model, samples).repeat(1, self.starts)

    @property
    def starts(self) -> int:
        return self.restarts if self.near is None else 1

    def goals(self, model: Model, samples: Samples) -> Tensor:
        """(n, ascents) classes to aim at, for a loss that aims; an ascent for each column.

        Raises:
            UsageError: too few classes for this loss.
        """
        self.count_classes(model, samples)
        return samples.labels[:, None]

    def rounds(self, tries: int) -> Turns:
        found = super().rounds(tries)
        if self.near is not None and self.restarts > 1:
            found.append(([*range(tries)] * (self.restarts - 1), self.near))
        return found

    @property
    def alone(self) -> bool:
        return self.near is None

    @property
    def length(self) -> int:
        return self.steps + 1

    def begin(self, samples: Samples, aims: Tensor, eps: Radius) -> Any:
        return Lanes.start(samples, aims, eps, self.norm)

    def go_on(self, model: Model, held: Any, first: int, last: int) -> Tensor:
        looks, loss = range(first, last), type(self).loss
        return ascend(model, held, self.norm, loss, self.steps, self.patience, looks)

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
class Lanes(Standing):
    """And what the checkpoints go by."""

    before: Tensor  # the point before
    value: Tensor  # the loss at the last point that was looked at
    rises: Tensor  # steps since the last checkpoint in which the loss rose
    checked_value: Tensor  # the best loss at the last checkpoint
    halved: Tensor  # whether the last checkpoint halved the step

    @classmethod
    def start(cls, samples: Samples, aims: Tensor, eps: Radius, norm: Norm) -> Self:
        n, device = len(samples), samples.x.device
        point = on_the_sphere(samples.x, eps, norm, samples.chance).clamp(0, 1)
        lowest = torch.full((n,), -torch.inf, device=device)
        return cls.at(
            samples,
            aims,
            point,
            eps,
            2 * eps,
            before=point,
            value=lowest,
            rises=torch.zeros(n, device=device),
            checked_value=lowest,
            halved=torch.ones(n, dtype=torch.bool, device=device),
        )

    def learn(self, value: Tensor, gradient: Tensor) -> None:
        self.rises = self.rises + (value > self.value)
        self.value = value
        super().learn(value, gradient)

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

    def move(self, norm: Norm, momentum: float) -> None:
        ahead = self.point + self.step * steepest(self.gradient, norm)
        ahead = project(self.x, ahead, self.radius, norm)
        inertia = (1 - momentum) * (self.point - self.before)
        ahead = self.point + momentum * (ahead - self.point) + inertia
        self.before, self.point = self.point, project(self.x, ahead, self.radius, norm)


def ascend(
    model: Model,
    lanes: Lanes,
    norm: Norm,
    loss: Loss,
    steps: int,
    patience: float | None = None,
    looks: Iterable[int] | None = None,
) -> Tensor:
    """Images (n, C, H, W): the first adversarial of each sample, else its point of largest loss.

    `looks`: those to be taken now, of 0 to `steps`; all, if none are named.
    """
    images, marks = lanes.x.clone(), checkpoints(steps)
    halfway = min(marks) // 2
    for i in range(steps + 1) if looks is None else looks:
        broken = lanes.look(model, loss, slope=i < steps)
        lanes.leave(images, broken, lanes.point)
        if not len(lanes.where) or i == steps:
            break
        if i <= 1:
            lanes.begin()  # the leap from a random start is no pace
        if i == 0:
            lanes.rises.zero_()  # the first look is no rise
            lanes.checked_value = lanes.best_value
        elif i in marks:
            lanes.check(marks[i])
        if patience is not None and (i in marks or i == halfway):
            interval = marks.get(i, i)
            if interval >= TELLING:
                hopeful = lanes.hopeful(interval, i, steps - i, patience)
                lanes.leave(images, ~hopeful, lanes.best)
                if not len(lanes.where):
                    break
        if i in marks:
            lanes.checked_lead = lanes.lead
        lanes.move(norm, momentum=0.75 if i else 1.0)
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
