"""Reading images beside, between and beyond their pixels; every image of a batch at once."""

from __future__ import annotations

from math import ceil
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Border = Literal["edge", "mirror", "symmetric"]
"""What lies beyond: aaa|abc, cb|abc (OpenCV's default), cba|abc (SciPy's `reflect`)."""


def inside(places: Tensor, n: int, border: Border) -> Tensor:
    """Whole places of any size -> the pixels 0..n-1 that stand for them."""
    if border == "edge" or n == 1:
        return places.clamp(0, n - 1)
    period = 2 * n - 2 if border == "mirror" else 2 * n
    folded = places % period
    return torch.minimum(folded, period - folded - int(border == "symmetric"))


def pick(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """x (N, C, H, W) at rows and columns (N, H', W'), both inside -> (N, C, H', W')."""
    n, channels, _, width = x.shape
    flat = (rows * width + columns).flatten(1)
    index = flat[:, None].expand(n, channels, -1)
    return x.flatten(2).gather(2, index).view(n, channels, *rows.shape[1:])


def between(x: Tensor, rows: Tensor, columns: Tensor, border: Border) -> Tensor:
    """The same at places that are no whole numbers, bilinear."""
    height, width = x.shape[2:]
    top, left = rows.floor(), columns.floor()
    down, right = (rows - top)[:, None], (columns - left)[:, None]
    above, below = (inside(top.long() + k, height, border) for k in (0, 1))
    before, behind = (inside(left.long() + k, width, border) for k in (0, 1))
    upper = torch.lerp(pick(x, above, before), pick(x, above, behind), right)
    lower = torch.lerp(pick(x, below, before), pick(x, below, behind), right)
    return torch.lerp(upper, lower, down)


def smoothing(n: int, sigma: float, truncate: float, border: Border) -> Tensor:
    """(n, n): the matrix that smooths n pixels with a Gaussian cut at `truncate` sigma."""
    radius = int(truncate * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2) if radius else torch.ones(1)
    matrix, here = torch.zeros(n, n), torch.arange(n)
    for offset, weight in zip(offsets, kernel / kernel.sum(), strict=True):
        matrix[here, inside(here + offset, n, border)] += weight
    return matrix


def smooth(x: Tensor, sigma: float, truncate: float = 4.0, border: Border = "edge") -> Tensor:
    """Gaussian blur of every channel; `sigma` in pixels."""
    down, across = (smoothing(n, sigma, truncate, border).to(x) for n in x.shape[2:])
    return down @ x @ across.T


def enlarged(x: Tensor, factor: float) -> Tensor:
    """The middle, `factor` times as large, cut to the old shape: bilinear, corners on corners."""
    shape = x.shape[2:]
    kept = [ceil(n / factor) for n in shape]
    top, left = ((n - k) // 2 for n, k in zip(shape, kept, strict=True))
    middle = x[:, :, top : top + kept[0], left : left + kept[1]]
    size = [round(k * factor) for k in kept]
    grown = F.interpolate(middle, size=size, mode="bilinear", align_corners=True)
    top, left = ((s - n) // 2 for s, n in zip(size, shape, strict=True))
    return grown[:, :, top : top + shape[0], left : left + shape[1]]


def uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Drawn on the generator's device, the CPU, so that every device gets the same images."""
    return low + (high - low) * torch.rand(shape, generator=generator)
