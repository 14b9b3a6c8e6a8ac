"""Brendel & Bethge in every norm: the best step inside a trust region, again and again.

Brendel, Rauber, Kümmerer, Ustyuzhaninov & Bethge 2019, "Accurate, reliable and fast robustness
evaluation", arXiv:1907.01003.

    minimise  ||x - x' - d||_p  such that  b·d = c,  ||d||_q <= r  and  x' + d is in [0, 1]

with b the gradient of the lead of the label at x' (averaged over the steps), c what is left of
that lead, and r a trust region that shrinks. x' starts at an adversarial: the nearest image of the
evaluation set in another class, drawn closer, else noise; a sample without either counts as not
broken and is listed, and one on which the solver gives up keeps its start. Foolbox lets r grow with
the number of images in the batch; here it does not. The last point oversteps the boundary by a
ten-thousandth, or by a hundredth at most where it takes more to be adversarial.
Needs numba (pip install "robustmix[brendel-bethge]"), which first compiles for a minute or so.
Minimal-norm: runs once for all epsilons. Cost: `steps` forwards and backwards, some twenty
forwards, and a solver on the CPU for each sample and step. Foolbox's own default is 1,000 steps.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import torch
from eagerpy.astensor import astensor, astensor_
from foolbox.models.base import Model
from foolbox.types import Bounds
from torch import Tensor

from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Crafted, Samples, claim
from robustbench_cli.spec import param

from .starts import NOWHERE, starting_points
from .targets import Targeted

OVERSTEPS = (1e-4, 1e-3, 1e-2)  # shares of the perturbation
_HUGE = 1e30


@dataclass(kw_only=True)
class BrendelBethge(Targeted):
    """Parameters, and Foolbox's class that takes them; its variants differ by norm."""

    foolbox: ClassVar[Any]
    budget: ClassVar[bool] = False

    steps: int = param(200, "steps along the boundary", low=1)
    radius: float = param(
        0.001, "of the first trust region, in units of the number of values", low=0
    )
    momentum: float = param(0.8, "share of the boundary's earlier normals in the next", low=0)
    overshoot: float = param(1.1, "how far each step goes, 1: to the boundary", low=1, high=2)
    draws: int = param(25, "noise images tried as a start, where no other image serves", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if find_spec("numba") is None:
            remedy = 'pip install "robustmix[brendel-bethge]"'
            raise UsageError(f"{self.name} needs a compiler, numba: {remedy}")

    def build(self, eps: float | None, share: float = 1.0) -> Any:
        """`share` of the radius: Foolbox multiplies it by the number of images in the batch."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the solver is yet to be compiled
            return self.foolbox(
                steps=self.steps,
                lr=self.radius * share,
                momentum=self.momentum,
                overshoot=self.overshoot,
            )

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        images, started = starting_points(model, samples, draws=self.draws)
        failed = {int(i): NOWHERE for i in (~started).nonzero()[:, 0]}
        able = started.nonzero()[:, 0]
        if len(able):
            part, starts = samples[able], images[able]
            walked = self._walk(_Finite(model), part, starts)
            images[able] = _settled(model, part, walked, starts)
        return Crafted(images, started & claim(model, samples, images), failed)

    def _walk(self, model: Model, samples: Samples, starts: Tensor) -> Tensor:
        """Foolbox's attack; a batch that its solver fails on is halved, down to the start."""
        tool = self.build(None, 1 / len(samples))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that arrays are not writable
                found: Tensor = tool.run(
                    model, samples.x, samples.criterion, starting_points=starts
                )
                return found
        except (ArithmeticError, AssertionError, ValueError):  # LinAlgError is a ValueError
            if len(samples) == 1:
                return starts
        parts = torch.arange(len(samples), device=starts.device).chunk(2)
        return torch.cat([self._walk(model, samples[part], starts[part]) for part in parts])


class _Finite(Model):
    """The model with finite answers and gradients: on others Foolbox's solver never ends."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def bounds(self) -> Bounds:
        return self._model.bounds

    def __call__(self, inputs: Any) -> Any:
        x, restore = astensor_(inputs)
        logits = self._model(_FiniteGradient.apply(x.raw))
        return restore(astensor(_finite(logits)))


class _FiniteGradient(torch.autograd.Function):
    """The identity; backwards, the gradient without what is no number."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Tensor:
        return _finite(grads[0])


def _finite(values: Tensor) -> Tensor:
    return values.nan_to_num(0.0, _HUGE, -_HUGE).clamp(-_HUGE, _HUGE)


def _settled(model: Model, samples: Samples, images: Tensor, starts: Tensor) -> Tensor:
    """A little further, as far as it takes to be adversarial: on the boundary itself, where the
    walk ends, the answer hangs on the last digit. The start where nothing helps."""
    found, left = starts.clone(), torch.arange(len(starts), device=starts.device)
    for share in OVERSTEPS:
        part, here = samples[left], images[left]
        further = (here + share * (here - part.x)).clamp(0, 1)
        held = claim(model, part, further)
        found[left[held]], left = further[held], left[~held]
        if not len(left):
            break
    return found
