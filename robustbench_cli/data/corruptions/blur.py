"""Blur: out of focus, through frosted glass, of a camera that moves, and of one that zooms."""

from __future__ import annotations

from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from .resampling import enlarged, inside, pick, smooth, uniform

DEFOCUS = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))
"""Radius of the disk, standard deviation of the Gaussian that softens its rim; pixels."""
GLASS = ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))
"""Standard deviation of the Gaussian before and after, rounds of displacing."""
MOTION = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))
"""Radius and standard deviation of the trail, in pixels."""
ZOOM = (1.06, 1.11, 1.16, 1.21, 1.26)
"""Largest factor."""

_REACH = 4  # pixels around the middle: more than any disk with its rim


def defocus_kernel(radius: float, softness: float) -> Tensor:
    """(9, 9), which adds up to one: a disk, smoothed by a Gaussian of 3x3 pixels."""
    place = torch.arange(-_REACH, _REACH + 1).double()
    disk = (place[:, None] ** 2 + place**2 <= radius**2).double()
    rim = torch.exp(-0.5 * (torch.arange(-1, 2).double() / softness) ** 2)
    rim = rim / rim.sum()
    soft = F.conv2d((disk / disk.sum())[None, None], torch.outer(rim, rim)[None, None], padding=1)
    return soft[0, 0]


def defocus_blur(x: Tensor, severity: int, generator: Generator) -> Tensor:
    kernel = defocus_kernel(*DEFOCUS[severity - 1]).to(x)
    rows, columns = (
        inside(torch.arange(-_REACH, n + _REACH), n, "mirror").to(x.device) for n in x.shape[2:]
    )
    wide = x[:, :, rows][..., columns]
    return F.conv2d(wide.flatten(0, 1)[:, None], kernel[None, None]).view(x.shape)


def glass_blur(x: Tensor, severity: int, generator: Generator) -> Tensor:
    sigma, rounds = GLASS[severity - 1]
    x = (smooth(x, sigma) * 255 + 1e-3).floor() / 255
    for _ in range(rounds):
        steps = torch.randint(-1, 1, (2, len(x), *x.shape[2:]), generator=generator)
        x = displaced(x, *steps)
    return smooth(x, sigma)


def displaced(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Each pixel but those near the rim is replaced by one of its neighbours; steps (N, H, W).

    The authors' code means to swap the two. NumPy's views make it a copy, in the order from the
    last pixel to the first; steps are -1 or 0, so that what is copied was not yet written to, and
    all pixels can be copied at once. So are the published images, and so is this.
    """
    height, width = x.shape[2:]
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    moves = (rows >= 2) & (columns >= 2)
    rows, columns = rows + down.cpu() * moves, columns + right.cpu() * moves
    return pick(x, rows.to(x.device), columns.to(x.device))


def motion_blur(x: Tensor, severity: int, generator: Generator) -> Tensor:
    radius, sigma = MOTION[severity - 1]
    return trail(x, radius, sigma, uniform((len(x),), -45, 45, generator))


def trail(x: Tensor, radius: int, sigma: float, degrees: Tensor) -> Tensor:
    """Each image smeared in its own direction, one-sidedly, as ImageMagick does; in 8 bits.

    Pixel i of 2 radius + 1 along the trail weighs exp(-i²/2σ²), is the nearest one to a line at
    `degrees` (N,) from the horizontal, and beyond the image its border goes on.
    """
    n, _, height, width = x.shape
    weights = torch.exp(-0.5 * (torch.arange(2 * ceil(radius) + 1) / sigma) ** 2)
    angle, total = torch.deg2rad(degrees.double().cpu()), torch.zeros_like(x)
    for i, weight in enumerate((weights / weights.sum()).tolist()):
        down, right = ((i * part(angle) - 0.5).ceil().long() for part in (torch.sin, torch.cos))
        rows = inside(torch.arange(height) + down[:, None], height, "edge")
        columns = inside(torch.arange(width) + right[:, None], width, "edge")
        rows, columns = (
            rows[:, :, None].expand(n, height, width),
            columns[:, None].expand(n, height, width),
        )
        total += weight * pick(x, rows.to(x.device), columns.to(x.device))
    return (total * 255).round() / 255


def zoom_blur(x: Tensor, severity: int, generator: Generator) -> Tensor:
    factors = np.arange(1, ZOOM[severity - 1], 0.01)
    total = x.clone()
    for factor in factors:
        total += enlarged(x, float(factor))
    return total / (len(factors) + 1)
