"""Several tries in a row, each on what the earlier ones left standing.

With `near`, restarts are for samples that nearly broke: those that would break in a ball larger by
this share at most, if the label's lead went on falling with the radius as it fell from the image
itself, at radius 0, to the best image that was found in the ball. Whether a search breaks such a
sample is the luck of its draws; one that is far off is not worth another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Crafted, Samples
from robustbench_cli.evaluation.verification.ball import Norm, into_ball

from .losses import margin

Try = Callable[[Samples, Tensor], Tensor]
"""Samples (n) and their places in the batch (n,) -> images (n, C, H, W), in the ball or not."""

NEAR = "restarts are for what a ball larger by this share would break; none: for all that is left"


def until_broken(
    model: Model,
    samples: Samples,
    eps: float,
    norm: Norm,
    rounds: Iterable[Iterable[Try]],
    near: float | None = None,
) -> Crafted:
    """The union of all tries: an image that one of them breaks is not handed to the next.

    rounds: a start and its restarts; `near`, where it is given, says who gets these.
    Images are clipped to the ball before they are judged. What withstands everything keeps the
    image of the last try.
    """
    images, claimed = samples.x.clone(), torch.zeros_like(samples.labels, dtype=torch.bool)
    lead = torch.full(claimed.shape, torch.inf, device=claimed.device)  # the least
    far = torch.zeros_like(claimed)
    for number, tries in enumerate(rounds):
        if number == 1 and near is not None and len(left := (~claimed).nonzero()[:, 0]):
            far[left] = ~_nearly(model, samples[left], lead[left], near)
        for attempt in tries:
            left = (~(claimed | far)).nonzero()[:, 0]
            if not len(left):
                break
            part = samples[left]
            found = into_ball(part.x, attempt(part, left), eps, norm)
            with torch.no_grad():
                logits = model(found)
            images[left], claimed[left] = found, part.reached(logits.argmax(1))
            lead[left] = torch.minimum(lead[left], -margin(logits, part.labels))
    return Crafted(images, claimed)


def _nearly(model: Model, samples: Samples, lead: Tensor, near: float) -> Tensor:
    """(n,), who nearly broke, by the least `lead` (n,) that was reached. One forward."""
    with torch.no_grad():
        first = -margin(model(samples.x), samples.labels)
    return lead <= near * (first - lead)
