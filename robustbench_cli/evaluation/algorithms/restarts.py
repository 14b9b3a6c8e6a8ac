"""Several tries in a row, each on what the earlier ones left standing.

With `near`, tries are for samples that nearly broke: those that would break in a ball larger by
this share at most, if the label's lead went on falling with the radius as it fell from the image
itself, at radius 0, to the best image that was found in the ball. Whether a search breaks such a
sample is the luck of its draws; one that is far off is not worth another. They are few: all that
is to be tried of them goes into one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Crafted, Samples
from robustbench_cli.evaluation.verification.ball import Norm, into_ball

from .losses import margin

Try = Callable[[Samples, Tensor, Tensor], Tensor]
"""Samples (n), their places in the batch (n,), and which of a round's tries each is (n,), from 0
-> images (n, C, H, W), in the ball or not."""

NEAR = "restarts are for what a ball larger by this share would break; none: for all that is left"


@dataclass(frozen=True)
class Round:
    """So many `times` at once, for each sample that is left; with `near`, that nearly broke."""

    attempt: Try
    times: int = 1
    near: float | None = None


def until_broken(
    model: Model, samples: Samples, eps: float, norm: Norm, rounds: Iterable[Round]
) -> Crafted:
    """The union of `rounds`: an image that one of them breaks is not handed to the next.

    Images are clipped to the ball before they are judged. What withstands everything keeps the
    image of its last try.
    """
    found = _Found.nothing(model, samples, eps, norm)
    most = len(samples)  # as large as a batch may be
    for each in rounds:
        left = found.left() if each.near is None else found.nearly(each.near)
        places = left.repeat_interleave(each.times)
        which = torch.arange(len(places), device=places.device) % each.times
        for start in range(0, len(places), most):
            at, number = places[start : start + most], which[start : start + most]
            found.take(at, each.attempt(samples[at], at, number))
    return Crafted(found.images, found.claimed)


@dataclass
class _Found:
    """Of each sample so far, (n, ...) each: the last image, or the first that broke it."""

    model: Model
    samples: Samples
    eps: float
    norm: Norm
    images: Tensor
    claimed: Tensor
    lead: Tensor  # the least by which the label led
    unchanged: Tensor | None = None  # that of the unchanged images

    @classmethod
    def nothing(cls, model: Model, samples: Samples, eps: float, norm: Norm) -> _Found:
        claimed = torch.zeros_like(samples.labels, dtype=torch.bool)
        lead = torch.full(claimed.shape, torch.inf, device=claimed.device)
        return cls(model, samples, eps, norm, samples.x.clone(), claimed, lead)

    def take(self, at: Tensor, images: Tensor) -> None:
        """Images for the samples `at`, each of them once or several times."""
        part = self.samples[at]
        images = into_ball(part.x, images, self.eps, self.norm)
        with torch.no_grad():
            logits = self.model(images)
        broken = part.reached(logits.argmax(1))
        order = torch.arange(len(at), device=at.device) + len(at) * broken  # broken ones above all
        first = torch.full_like(self.samples.labels, -1).scatter_reduce(0, at, order, "amax")
        fresh = ((first >= 0) & ~self.claimed).nonzero()[:, 0]
        chosen = first[fresh] % len(at)
        self.images[fresh], self.claimed[fresh] = images[chosen], broken[chosen]
        self.lead.scatter_reduce_(0, at, -margin(logits, part.labels), "amin")

    def left(self) -> Tensor:
        """Who stands, (k,) places."""
        return (~self.claimed).nonzero()[:, 0]

    def nearly(self, near: float) -> Tensor:
        """Who nearly broke, (k,) places. One forward of all samples, once."""
        if self.unchanged is None:
            with torch.no_grad():
                self.unchanged = -margin(self.model(self.samples.x), self.samples.labels)
        close = self.lead <= near * (self.unchanged - self.lead)
        return (close & ~self.claimed).nonzero()[:, 0]
