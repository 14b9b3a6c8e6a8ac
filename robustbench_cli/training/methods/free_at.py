"""Replay each batch, and let one backward train the weights and move the images.

Shafahi et al., "Adversarial Training for Free!", NeurIPS 2019, arXiv 1904.12843. m times per batch:
descend on CE(f(x+δ), y) and, by the same backward, δ ← clip(δ + ε sign ∇δ, ±ε). δ belongs to the
places of the batch, not to the images: the next batch goes on from it, a smaller last batch takes
its first rows, and it is part of a checkpoint. m = 8 on CIFAR-10. The paper divides the epochs by
m: so should you, because --epochs counts passes over the data and each trains m times.
The paper differentiates at x+δ, clipped to [0, 1]; the authors' code differentiates before the
clipping, so that δ rests wherever the pixel is clipped (`through-clip=true`).
A method to the right that attacks on its own cuts this gradient: write `pgd-at+free-at`.
Cost per optimiser step: 1 forward, 1 backward; m of each per batch.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.adversarial.adversary import Bounded
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Step

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class FreeTraining(Bounded):
    """Adds a perturbation that outlives the batch."""

    replays: int = param(8, "m, optimiser steps on each batch", low=1)
    through_clip: bool = param(False, "the perturbation rests where x+δ leaves [0, 1]")
    delta: Tensor | None = field(default=None, init=False, repr=False, compare=False)
    climbed: bool = field(default=False, init=False, repr=False, compare=False)

    @property
    def steps_per_batch(self) -> int:
        return self.replays

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        n, delta = len(batch), self.delta
        if delta is None or delta.shape[1:] != batch.x.shape[1:] or len(delta) < n:
            self.delta = delta = torch.zeros_like(batch.x)
        moved = batch.x + delta[:n]
        image = moved.clamp(0, 1)
        if not image.requires_grad:
            image.requires_grad_()
        image.register_hook(partial(self._climb, moved.detach()))  # type: ignore[no-untyped-call]
        return rest(model, batch.replace(x=image))

    def _climb(self, moved: Tensor, gradient: Tensor) -> None:
        """Called by whatever backward passes the image, which is `moved`, clipped."""
        assert self.delta is not None
        # not a number where the scale of mixed precision overflows, and such a step is dropped
        up = self.radius * gradient.detach().sign().nan_to_num()
        if self.through_clip:
            up = up * ((moved >= 0) & (moved <= 1))
        delta = self.delta[: len(moved)]
        delta.copy_((delta + up).clamp(-self.radius, self.radius))
        self.climbed = True

    def end_epoch(self, model: Model) -> dict[str, float]:
        if not self.climbed:
            _log.warning(
                "%s: no gradient reached its perturbation, so it never moved; "
                "write it to the right of the method that attacks",
                self.name,
            )
        self.climbed = False
        return {}
