"""Weather: snow, fog, and the sun. Frost is laid over as photographs, which do not come with us."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from .blur import trail
from .resampling import enlarged, uniform

SNOW = (
    (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
    (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
    (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
    (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
    (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
)
"""Mean and deviation of the flakes, their size, from where on they are seen, radius and deviation
of their trails, share of the image that stays as it is."""
FOG = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))
"""Amount, and how fast small clouds grow fainter."""
BRIGHTNESS = (0.05, 0.1, 0.15, 0.2, 0.3)
"""What is added to the value of hue, saturation and value."""


def snow(x: Tensor, severity: int, generator: Generator) -> Tensor:
    mean, deviation, size, seen, radius, sigma, kept = SNOW[severity - 1]
    n, _, height, width = x.shape
    flakes = mean + deviation * torch.randn(n, 1, height, width, generator=generator)
    flakes = enlarged(flakes.to(x), size)
    flakes = torch.where(flakes < seen, 0, flakes).clamp(0, 1)
    flakes = (flakes * 255).floor() / 255
    flakes = trail(flakes, int(radius), sigma, uniform((n,), -135, -45, generator))
    white = torch.maximum(x, grey(x) * 1.5 + 0.5)
    return kept * x + (1 - kept) * white + flakes + flakes.flip(2, 3)


def grey(x: Tensor) -> Tensor:
    """(N, 1, H, W): luma of red, green and blue (BT.601); the mean of any other channels."""
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    weights = torch.tensor([0.299, 0.587, 0.114]).to(x)
    return (x * weights[:, None, None]).sum(1, keepdim=True)


def fog(x: Tensor, severity: int, generator: Generator) -> Tensor:
    amount, decay = FOG[severity - 1]
    n, _, height, width = x.shape
    size = 1 << max(1, (max(height, width) - 1).bit_length())
    clouds = plasma(n, size, decay, generator)[:, None, :height, :width].to(x)
    most = x.amax((1, 2, 3), keepdim=True)
    return (x + amount * clouds) * most / (most + amount)


def plasma(n: int, size: int, decay: float, generator: Generator) -> Tensor:
    """(n, size, size) from 0 to 1, by the diamond-square algorithm; `size` is a power of two."""
    heights = torch.zeros(n, size, size)
    step, jitter = size, 100.0

    def jittered(four: Tensor) -> Tensor:
        return four / 4 + jitter * uniform(tuple(four.shape), -jitter, jitter, generator)

    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        square = corners + corners.roll(-1, 1)
        heights[:, half::step, half::step] = jittered(square + square.roll(-1, 2))
        middles = heights[:, half::step, half::step]
        upper = middles + middles.roll(1, 1) + corners + corners.roll(-1, 2)
        heights[:, ::step, half::step] = jittered(upper)
        left = middles + middles.roll(1, 2) + corners + corners.roll(-1, 1)
        heights[:, half::step, ::step] = jittered(left)
        step, jitter = half, jitter / decay
    heights -= heights.amin((1, 2), keepdim=True)
    return heights / heights.amax((1, 2), keepdim=True)


def brightness(x: Tensor, severity: int, generator: Generator) -> Tensor:
    """Hue and saturation stay, so that red, green and blue grow by the factor of their largest."""
    value = x.amax(1, keepdim=True)
    brighter = (value + BRIGHTNESS[severity - 1]).clamp(max=1)
    return torch.where(value > 0, x * brighter / value.clamp(min=1e-9), brighter)
