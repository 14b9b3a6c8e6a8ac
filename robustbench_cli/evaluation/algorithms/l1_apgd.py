"""Auto-PGD in L1: sparse steps, a projection onto ball and box at once, and balls that shrink.

Croce & Hein 2021, "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers",
arXiv:2103.01208.

    x' = project(x' + step · s / ||s||_1),   s = sign(g) at the k largest |g|, else 0

k is a fifth of all values at first. Every 4 % of the steps it becomes two thirds of the values that
the best point has changed; where these are fewer than 95 % of those before, the step is eps again
and the walk goes on from the best point, else the step is divided by 1.5, down to eps / 10. The
first 30 % of the steps are taken in a ball three times as large, the next 30 % in one twice as
large, from where each walk starts anew. `patience` is for the last part, and looks
back after each fifth of that, or six steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Samples

from .apgd import AutoPGD
from .geometry import Radius
from .l1_box import onto_l1_box
from .losses import Loss
from .standing import TELLING, Standing

_STAGES = ((3.0, 0.3), (2.0, 0.3), (1.0, 0.4))
"""Radii in epsilons, and their share of the steps."""

_TINY = 1e-10


@dataclass(kw_only=True)
class SparseAutoPGD(AutoPGD):
    """What its variants share; they differ by loss."""

    pauses: ClassVar[tuple[float, ...]] = ()  # nothing leaves before the last ball

    def run(self, model: Model, samples: Samples, aims: Tensor, eps: Radius) -> Tensor:
        loss, point = type(self).loss, samples.x + samples.chance.normal(samples.x)
        for scale, share in _STAGES:
            radius, steps = scale * eps, max(round(share * self.steps), 1)
            lanes = SparseLanes.start(samples, aims, onto_l1_box(samples.x, point, radius), radius)
            final = scale == 1
            point = _ascend(model, lanes, loss, steps, self.patience, final=final)
        return point


@dataclass
class SparseLanes(Standing):
    """And what the checkpoints go by, (n,) each."""

    count: Tensor  # how many values a step moves
    support: Tensor  # how many the best point had changed at the last checkpoint

    @classmethod
    def start(cls, samples: Samples, aims: Tensor, point: Tensor, radius: Radius) -> Self:
        n, values, device = len(samples), samples.x[:1].numel(), samples.x.device
        count = torch.full((n,), 0.2 * values, device=device)
        support = torch.full((n,), float(values), device=device)
        return cls.at(samples, aims, point, radius, radius, count=count, support=support)

    def check(self) -> None:
        """At a checkpoint: how many values to move, how far, and from where."""
        support = (self.best != self.x).flatten(1).sum(1).to(self.count)
        sparser = support < 0.95 * self.support
        self.count, self.support, wide = support / 1.5, support, sparser[:, None, None, None]
        shorter = (self.step / 1.5).clamp(min=self.radius / 10)
        self.step = torch.where(wide, self.radius, shorter)
        self.point = torch.where(wide, self.best, self.point)
        self.gradient = torch.where(wide, self.best_gradient, self.gradient)

    def move(self) -> None:
        size = self.gradient.flatten(1).abs()
        place = self.count.floor().long().clamp(1, size.shape[1])
        least = size.sort(1, descending=True).values.gather(1, place[:, None] - 1)
        sign = torch.where(size >= least, self.gradient.flatten(1).sign(), 0.0)
        direction = (sign / (sign.abs().sum(1, keepdim=True) + _TINY)).reshape(self.x.shape)
        self.point = onto_l1_box(self.x, self.point + self.step * direction, self.radius)


def _ascend(
    model: Model,
    lanes: SparseLanes,
    loss: Loss,
    steps: int,
    patience: float | None,
    *,
    final: bool,
) -> Tensor:
    """Images (n, C, H, W); in the `final` ball the first adversarial of each, else the best."""
    images, every, glance = lanes.x.clone(), max(int(0.04 * steps), 1), max(steps // 5, TELLING)
    for i in range(steps + 1):
        broken = lanes.look(model, loss, slope=i < steps)
        if final:
            lanes.leave(images, broken, lanes.point)
        if not len(lanes.where) or i == steps:
            break
        if i <= 1:
            lanes.begin()  # the leap from the start is no pace
        elif final and patience is not None and i % glance == 0:
            hopeful = lanes.hopeful(glance, i, steps - i, patience)
            lanes.leave(images, ~hopeful, lanes.best)
            if not len(lanes.where):
                break
            lanes.checked_lead = lanes.lead
        if i and i % every == 0:
            lanes.check()
        lanes.move()
    images[lanes.where] = lanes.best
    return images
