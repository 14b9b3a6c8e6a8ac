"""One step of Foolbox's gradient descent, with a ball and a step size for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import eagerpy as ep
import torch
from eagerpy.astensor import astensor
from foolbox.models.base import Model
from foolbox.types import Bounds
from torch import Tensor

from robustbench_cli.evaluation.algorithms.descent import Descent
from robustbench_cli.evaluation.attack import Samples

from .draws import Seeded


class Pace(NamedTuple):
    """What a batch of lanes aims at, and how far it may go.

    radius, stride: of the balls and of the steps, (n,), float32 in pixels, on the device.
    """

    samples: Samples
    radius: Tensor
    stride: Tensor

    @classmethod
    def of(cls, attack: Descent, samples: Samples, eps: Tensor) -> Self:
        """`eps`: (n,), float64, on the host."""
        fixed = attack.step_size
        stride = 2.5 / attack.steps * eps if fixed is None else torch.full_like(eps, fixed)
        radius, stride = (values.to(samples.x, non_blocking=True) for values in (eps, stride))
        return cls(samples, radius, stride)

    def at(self, index: Tensor) -> Self:
        return type(self)(self.samples[index], self.radius[index], self.stride[index])

    def joined(self, other: Self) -> Self:
        return type(self)(
            self.samples.joined(other.samples),
            torch.cat([self.radius, other.radius]),
            torch.cat([self.stride, other.stride]),
        )


class Stepper:
    """Runs the pieces of ``attack.build(None)`` in the order of its `run`."""

    def __init__(self, attack: Descent, model: Model) -> None:
        self.tool = attack.build(None)
        self._wide = attack.norm == "linf"  # as its projection takes a radius
        self._model = _Overheard(model)

    def start(self, pace: Pace, seeds: Sequence[int]) -> Tensor:
        """Where Foolbox starts: (n, C, H, W) in [0, 1]; each row by a seed of its own."""
        if not self.tool.random_start:
            return pace.samples.x
        drawn = self.tool.get_random_start(
            Seeded(pace.samples.x, seeds), astensor(_broad(pace.radius))
        )
        raw: Tensor = ep.clip(drawn, *self._model.bounds).raw
        return raw

    def step(self, images: Tensor, pace: Pace) -> tuple[Tensor, Tensor]:
        """Where each image goes next, and whether it was adversarial before it went, (n,)."""
        tool, samples = self.tool, pace.samples
        x, origin = astensor(images), astensor(samples.x)
        aim = samples.labels if samples.targets is None else samples.targets
        loss = tool.get_loss_fn(self._model, astensor(aim))
        _, gradient = tool.value_and_grad(loss, x)
        hit = samples.reached(self._model.logits.argmax(1))
        direction = tool.get_optimizer(origin, astensor(_broad(pace.stride)))(
            tool.normalize(gradient, x=x, bounds=self._model.bounds)
        )
        moved = x + direction if samples.targets is None else x - direction
        radius = _broad(pace.radius) if self._wide else pace.radius
        moved = ep.clip(tool.project(moved, origin, radius), *self._model.bounds)
        return moved.raw, hit


@dataclass
class Front:
    """Lanes side by side on the device, (n, ...) each.

    step: how many each has gone. deaf: at this one a claim was denied already. stopped: those that
    claim to be adversarial, and stay there, and those whose steps are spent.
    """

    x: Tensor
    pace: Pace
    step: Tensor
    deaf: Tensor
    stopped: Tensor

    @classmethod
    def of(cls, x: Tensor, pace: Pace, step: Sequence[int], deaf: Sequence[int]) -> Self:
        steps, at = (torch.tensor(n).to(x.device, non_blocking=True) for n in (step, deaf))
        return cls(x, pace, steps, at, torch.zeros(len(x), dtype=torch.bool, device=x.device))

    def at(self, index: Tensor) -> Self:
        fields = (self.x, self.step, self.deaf, self.stopped)
        x, step, deaf, stopped = (values[index] for values in fields)
        return type(self)(x, self.pace.at(index), step, deaf, stopped)

    def joined(self, other: Self) -> Self:
        return type(self)(
            torch.cat([self.x, other.x]),
            self.pace.joined(other.pace),
            torch.cat([self.step, other.step]),
            torch.cat([self.deaf, other.deaf]),
            torch.cat([self.stopped, other.stopped]),
        )

    def advance(self, stepper: Stepper, steps: int, *, heedful: bool) -> None:
        """A step of every lane that has not stopped; the last is number `steps`.

        `heedful`: lanes stop as soon as they are adversarial.
        """
        moved, hit = stepper.step(self.x, self.pace)
        stays = self.stopped
        if heedful:
            stays = stays | (hit & (self.step != self.deaf))
        self.x = torch.where(stays[:, None, None, None], self.x, moved)
        self.step = self.step + ~stays
        self.stopped = stays | (self.step == steps)

    def look(self) -> tuple[list[int], list[bool]]:
        """`step` and `stopped` of every lane; the host waits for them."""
        step, stopped = torch.stack((self.step, self.stopped)).tolist()
        return step, [bool(flag) for flag in stopped]


def _broad(values: Tensor) -> Tensor:
    return values[:, None, None, None]


class _Overheard(Model):
    """The model, with its last logits at hand: they tell for free what is adversarial already."""

    logits: Tensor

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def bounds(self) -> Bounds:
        return self._model.bounds

    def __call__(self, inputs: Any) -> Any:
        found = self._model(inputs)
        self.logits = astensor(found).raw.detach()
        return found
