"""One step of Foolbox's gradient descent, with a ball and a step size for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import eagerpy as ep
import torch
from eagerpy.astensor import astensor
from foolbox.models.base import Model
from foolbox.types import Bounds
from torch import Tensor

from robustbench_cli.evaluation.algorithms.descent import Descent
from robustbench_cli.evaluation.attack import Samples


class Pace(NamedTuple):
    """What a batch of lanes aims at, and how far it may go.

    eps: (n,), float64. radius: the same as Foolbox's projection takes it. stride: step sizes,
    (n, 1, 1, 1), as its optimizer takes them.
    """

    samples: Samples
    eps: Tensor
    radius: Tensor
    stride: Any

    @classmethod
    def of(cls, attack: Descent, samples: Samples, epsilons: Sequence[float]) -> Self:
        eps = torch.tensor(epsilons, dtype=torch.float64)
        fixed = attack.step_size
        stride = 2.5 / attack.steps * eps if fixed is None else torch.full_like(eps, fixed)
        near, far = eps.to(samples.x), stride.to(samples.x)
        radius = near[:, None, None, None] if attack.norm == "linf" else near
        return cls(samples, eps, radius, astensor(far[:, None, None, None]))


class Stepper:
    """Runs the pieces of ``attack.build(None)`` in the order of its `run`."""

    def __init__(self, attack: Descent, model: Model) -> None:
        self.tool = attack.build(None)
        self._model = _Overheard(model)

    def start(self, x: Tensor, eps: float) -> Tensor:
        """Where Foolbox starts: (n, C, H, W) in [0, 1]."""
        if not self.tool.random_start:
            return x
        drawn = self.tool.get_random_start(astensor(x), eps)
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
        direction = tool.get_optimizer(origin, pace.stride)(
            tool.normalize(gradient, x=x, bounds=self._model.bounds)
        )
        moved = x + direction if samples.targets is None else x - direction
        moved = ep.clip(tool.project(moved, origin, pace.radius), *self._model.bounds)
        return moved.raw, hit


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
