"""HopSkipJump in either norm: many decisions about noise tell where the boundary's normal points.

Chen et al. 2020, "HopSkipJumpAttack: A Query-Efficient Decision-Based Attack", arXiv:1904.02144.

    g  = mean of +u or -u, as x' + delta · u is adversarial or not, u random
    x' <- the boundary on the line from x to x' + step · direction

It starts where the boundary attack does: at the nearest image of the evaluation set that the
network puts into another class, else at noise. A sample without a start counts as not broken and
is listed, and one on which Foolbox gives up keeps its start. The last point oversteps the boundary
by a thousandth, so that the verdict is stable.
Minimal-norm: runs once for all epsilons. Cost: about `evals` · steps^1.5 · 2/3 forwards (34,000
with the defaults), and some fifty per step.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Crafted, Samples, claim
from robustbench_cli.spec import param

from .mended import UnitHopSkipJump
from .starts import NOWHERE, starting_points
from .targets import Targeted

OVERSTEP = 1e-3
_VALUES = 2**25  # of the random images that Foolbox makes at once


@dataclass(kw_only=True)
class HopSkipJump(Targeted):
    """Its variants differ by norm."""

    budget: ClassVar[bool] = False
    access: ClassVar[Literal["decision"]] = "decision"

    steps: int = param(64, "jumps", low=1)
    evals: int = param(100, "decisions for the first normal; more for later ones", low=1)
    draws: int = param(25, "noise images tried as a start", low=1)

    def build(self, eps: float | None) -> Any:
        return UnitHopSkipJump(
            steps=self.steps,
            initial_gradient_eval_steps=self.evals,
            constraint="linf" if self.norm == "linf" else "l2",
        )

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        images, started = starting_points(model, samples, draws=self.draws)
        failed = {int(i): NOWHERE for i in (~started).nonzero()[:, 0]}
        able = started.nonzero()[:, 0]
        values = self.evals * self.steps**0.5 * samples.x[0].numel() * len(able)
        for part in able.chunk(int(values / _VALUES) + 1) if len(able) else ():
            images[part] = self._jump(model, samples[part], images[part])
        images = _overstepped(model, samples, images)
        return Crafted(images, started & claim(model, samples, images), failed)

    def _jump(self, model: Model, samples: Samples, starts: Tensor) -> Tensor:
        """Foolbox's attack; a batch that it refuses is halved, down to a start that stays."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                tool = self.build(None)
                found: Tensor = tool.run(
                    model, samples.x, samples.criterion, starting_points=starts
                )
                return found
        except (ValueError, AssertionError):  # a point on the boundary fell back over it
            if len(samples) == 1:
                return starts
        parts = torch.arange(len(samples), device=starts.device).chunk(2)
        return torch.cat([self._jump(model, samples[part], starts[part]) for part in parts])


def _overstepped(model: Model, samples: Samples, images: Tensor) -> Tensor:
    """A thousandth further, where that is adversarial too: on the boundary itself the answer hangs
    on the last digit, and so on the batch in which it is asked for."""
    further = (images + OVERSTEP * (images - samples.x)).clamp(0, 1)
    held = claim(model, samples, further)[:, None, None, None]
    return torch.where(held, further, images)
