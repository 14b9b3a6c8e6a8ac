"""The L1 ball cut with the box [0, 1]: the nearest point of both at once.

Croce & Hein 2021, "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers",
arXiv:2103.01208. Onto the ball and then onto the box is neither nearest nor, where many pixels are
at 0 or 1, anywhere near.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .geometry import Radius


def onto_l1_box(x: Tensor, images: Tensor, radius: Radius) -> Tensor:
    """The nearest images with ``||. - x||_1 <= radius`` and pixels in [0, 1]; (n, C, H, W), exact.

    Each pixel moves from x towards the image by a - t, no less than 0 and no further than its room
    c, a being how far the image is away; t >= 0 is the one that uses up the radius, found among the
    places a and a - c where a pixel begins or ceases to move.
    """
    change = (images - x).flatten(1)
    radius = radius.flatten(1) if isinstance(radius, Tensor) else radius
    away, start = change.abs(), x.flatten(1)
    room = torch.where(change > 0, 1 - start, start)
    d = away.shape[1]
    places, order = torch.cat([(away - room).clamp(min=0), away], 1).sort(1)
    turns = torch.ones_like(places)
    turns[:, d:] = -1  # how many more move with t from here on
    movers = turns.gather(1, order).cumsum(1)
    falls = movers[:, :-1] * places.diff(dim=1)
    whole = torch.minimum(away, room).sum(1, keepdim=True)
    sums = torch.cat([whole, whole - falls.cumsum(1)], 1)  # distances at t = places
    # before the first place nothing has changed; the last place with more than the radius is left
    last = ((sums > radius).sum(1, keepdim=True) - 1).clamp(min=0)
    excess = (sums.gather(1, last) - radius).clamp(min=0)
    threshold = places.gather(1, last) + excess / movers.gather(1, last).clamp(min=1)
    threshold = torch.where(whole > radius, threshold, 0.0)
    moved = torch.minimum((away - threshold).clamp(min=0), room)
    return (start + change.sign() * moved).reshape(x.shape).clamp(0, 1)
