"""Which classes an attack aims at in turn; any wrong class counts.

They are the likeliest after the label. With `order=nearest` those come first that a linear network
would reach first,

    smallest (z_y - z_t) / ||grad z_y - grad z_t||,   in the dual norm, at the image

as MALT chooses them (Melamed et al. 2024, arXiv:2407.02240), among the likeliest, four times as
many. With `far`, three targets are for all samples, and the others only for those that would break
in a ball larger by this share, if the label's lead went on falling with the radius as it fell up to
there; the second and the third are aimed at together, and so are the others.
Cost: one forward, or with `order=nearest` one and a backward for each class that is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Literal

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Samples
from robustbench_cli.evaluation.mixing import Mixing, Turns
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param

from .geometry import dual_length

_TINY = 1e-12
SURE = 3
"""Targets that are for all: of what only others would break, next to nothing is far off."""


@dataclass(kw_only=True)
class Aiming(Mixing):
    """A try for each target."""

    targets: int = param(9, "classes aimed at", low=1)
    order: Literal["likeliest", "nearest"] = param("likeliest", "which classes come first")
    far: float | None = param(
        None,
        "targets after the third are for what a ball larger by this share would break;"
        " none: for all that is left",
        low=0,
    )

    def rounds(self, tries: int) -> Turns:
        found, targets = super().rounds(tries), tries // self.starts
        if self.far is None or targets <= SURE:
            return found
        turns = [range(tries)[first : first + targets] for first in range(0, tries, targets)]
        aimed = [
            [(turn[:1], None), (turn[1:SURE], None), (turn[SURE:], self.far)] for turn in turns
        ]
        return [*chain.from_iterable(aimed), *found[tries:]]

    @property
    def alone(self) -> bool:
        return super().alone and self.far is None

    def chosen(self, model: Model, samples: Samples, others: int) -> Tensor:
        """(n, targets) of the `others` than the label, in the order in which they are aimed at."""
        if self.order == "nearest":
            found = nearest_classes(model, samples, self.norm, min(others, 4 * self.targets))
        else:
            with torch.no_grad():
                found = _likeliest(model(samples.x), samples.labels)[:, :others]
        return found[:, : self.targets]


def nearest_classes(model: Model, samples: Samples, norm: Norm, compared: int) -> Tensor:
    """(n, compared) of the likeliest classes, those first whose plane is nearest to the image.

    One forward, and a backward for each class that is compared.
    """
    with torch.enable_grad():
        x = samples.x.detach().requires_grad_()
        logits = model(x)
        classes = _likeliest(logits.detach(), samples.labels)[:, :compared]
        own = logits.gather(1, samples.labels[:, None])
        leads = own - logits.gather(1, classes)
        slopes = [
            dual_length(torch.autograd.grad(lead.sum(), x, retain_graph=True)[0], norm)
            for lead in leads.unbind(1)
        ]
    distances = leads.detach() / (torch.stack(slopes, 1) + _TINY)
    return classes.gather(1, distances.argsort(dim=1, stable=True))


def _likeliest(logits: Tensor, labels: Tensor) -> Tensor:
    """(n, classes), the largest logit first; the label, which comes last, is no target."""
    return logits.scatter(1, labels[:, None], -torch.inf).argsort(1, descending=True)
