"""Cutting, resizing and placing images, each in a way of its own: a matrix product on each side.

Exact, differentiable, and the same bits each time also on a GPU.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Mode = Literal["nearest", "bilinear"]


class Spans(NamedTuple):
    """A stretch of pixels for each image along one side: first pixel and length, (N,) each."""

    first: Tensor
    length: Tensor


def place(
    x: Tensor,
    source: tuple[Spans, Spans],
    target: tuple[Spans, Spans],
    shape: tuple[int, int],
    mode: Mode,
) -> Tensor:
    """Stretch the part `source` of each image onto the part `target` of a black canvas.

    Args:
        x: (N, C, H, W).
        source, target: rows and columns.
        shape: of the canvas.
        mode: between pixel centres, as ``nearest-exact`` and ``bilinear`` of torch's interpolate.
    """
    down, across = (
        _weights(s, t, size, canvas, mode, x.dtype)
        for s, t, size, canvas in zip(source, target, x.shape[2:], shape, strict=True)
    )
    return down[:, None] @ x @ across[:, None].transpose(2, 3)


def _weights(
    source: Spans, target: Spans, size: int, canvas: int, mode: Mode, dtype: torch.dtype
) -> Tensor:
    """(N, canvas, size): how much each pixel of a side counts in each pixel of the canvas."""
    device = source.first.device
    share = torch.arange(canvas, device=device) + 0.5 - target.first[:, None]
    share = share / target.length[:, None]
    inside = (share > 0) & (share < 1)
    # no pixel outside the part may shine in at its border
    low, high = source.first[:, None] + 0.5, source.first[:, None] + source.length[:, None] - 0.5
    place = source.first[:, None] + share * source.length[:, None]
    centres = torch.arange(size, device=device) + 0.5
    if mode == "nearest":
        weights = place.floor()[:, :, None] + 0.5 == centres
    else:
        place = torch.minimum(torch.maximum(place, low), high)
        weights = (1 - (place[:, :, None] - centres).abs()).clamp(min=0)
    return (weights * inside[:, :, None]).to(dtype)


def random_lengths(x: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Heights and widths (N,), the same random share in [low, high] of both sides, whole pixels."""
    drawn = torch.rand(len(x), device=x.device)
    return tuple(  # type: ignore[return-value]
        least + (drawn * (max(round(high * side), 1) - least + 1)).floor()
        for side in x.shape[2:]
        for least in [max(round(low * side), 1)]
    )


def random_spans(length: Tensor, room: int) -> Spans:
    """Stretches of `length` (N,) at random places of a side of `room` pixels."""
    drawn = torch.rand(len(length), device=length.device)
    return Spans((drawn * (room - length + 1)).floor(), length)


def whole(n: int, size: int, device: torch.device) -> Spans:
    """All of a side."""
    return Spans(torch.zeros(n, device=device), torch.full((n,), float(size), device=device))
