"""Several tries in a row, each on what the earlier ones left standing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Crafted, Samples, claim
from robustbench_cli.evaluation.verification.ball import Norm, into_ball

Try = Callable[[Samples, Tensor], Tensor]
"""Samples (n) and their places in the batch (n,) -> images (n, C, H, W), in the ball or not."""


def until_broken(
    model: Model, samples: Samples, eps: float | Tensor, norm: Norm, tries: Iterable[Try]
) -> Crafted:
    """The union of `tries`: an image that one of them breaks is not handed to the next.

    Images are clipped to the ball before they are judged. What withstands everything keeps the
    image of the last try. `eps`: one for all, or (n,), float64, on the host.
    """
    images, claimed = samples.x.clone(), torch.zeros_like(samples.labels, dtype=torch.bool)
    for number, attempt in enumerate(tries):
        left = (~claimed).nonzero()[:, 0]
        if not len(left):
            break
        part, radii = samples[left], eps[left.cpu()] if isinstance(eps, Tensor) else eps
        part = replace(part, chance=part.chance.again(number))
        found = into_ball(part.x, attempt(part, left), radii, norm)
        images[left], claimed[left] = found, claim(model, part, found)
    return Crafted(images, claimed)
