"""The nearest point of a plane inside the box [0, 1], in every norm."""

from __future__ import annotations

import torch
from torch import Tensor

from robustbench_cli.evaluation.verification.ball import Norm

_TINY = 1e-30
_CORNERS = 10
"""Of the piecewise linear way to the plane; Newton's steps pass several at once."""


def onto_plane(x: Tensor, slope: Tensor, value: Tensor, norm: Norm) -> Tensor:
    """The nearest images with ``value + <slope, . - x> = 0`` and pixels in [0, 1].

    x, slope: (n, C, H, W). value: (n,), of the linear function at x. Where the box does not reach
    the plane, its corner that comes nearest. In Linf all pixels move equally far, in L2 in
    proportion to the slope, until they meet the box: how far altogether is the root of a concave
    function without a formula, to which Newton's method climbs from below. In L1 the steepest
    pixels move, each as far as it may.
    """
    start, downhill = x.flatten(1), -slope.flatten(1) * value.sign()[:, None]
    room = torch.where(downhill > 0, 1 - start, start)
    steepest = downhill.abs().amax(1, keepdim=True).clamp(min=_TINY)  # slopes may be of any size
    steep, missing = downhill.abs() / steepest, value.abs()[:, None] / steepest
    moved = _steepest(steep, room, missing) if norm == "l1" else _evenly(steep, room, missing, norm)
    return (start + downhill.sign() * moved).reshape(x.shape).clamp(0, 1)


def _evenly(steep: Tensor, room: Tensor, missing: Tensor, norm: Norm) -> Tensor:
    """How far each pixel moves, (n, d)."""
    pace = torch.ones_like(steep) if norm == "linf" else steep
    way = torch.zeros_like(missing)
    for _ in range(_CORNERS):
        free = way * pace < room
        moved = torch.where(free, way * pace, room)
        gain = (steep * pace * free).sum(1, keepdim=True)
        left = missing - (steep * moved).sum(1, keepdim=True)
        way = way + torch.where(gain > _TINY, left / gain.clamp(min=_TINY), 0.0)
    return torch.minimum(way * pace, room)


def _steepest(steep: Tensor, room: Tensor, missing: Tensor) -> Tensor:
    steep, order = steep.sort(1, descending=True)
    gain = steep * room.gather(1, order)
    before = gain.cumsum(1) - gain
    share = ((missing - before) / gain.clamp(min=_TINY)).clamp(0, 1)
    return torch.zeros_like(room).scatter(1, order, share) * room
