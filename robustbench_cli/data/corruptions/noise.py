"""Noise of the sensor: Gaussian, of counted photons, and of broken pixels."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

GAUSSIAN = (0.04, 0.06, 0.08, 0.09, 0.10)
"""Standard deviation."""
SHOT = (500, 250, 100, 75, 50)
"""Photons of a white pixel."""
IMPULSE = (0.01, 0.02, 0.03, 0.05, 0.07)
"""Share of the values that turn black or white."""


def gaussian_noise(x: Tensor, severity: int, generator: Generator) -> Tensor:
    noise = torch.randn(x.shape, generator=generator).to(x)
    return x + GAUSSIAN[severity - 1] * noise


def shot_noise(x: Tensor, severity: int, generator: Generator) -> Tensor:
    photons = SHOT[severity - 1]
    return torch.poisson(x.cpu() * photons, generator=generator).to(x) / photons


def impulse_noise(x: Tensor, severity: int, generator: Generator) -> Tensor:
    broken = torch.rand(x.shape, generator=generator) < IMPULSE[severity - 1]
    white = torch.rand(x.shape, generator=generator) < 0.5
    return torch.where(broken.to(x.device), white.to(x), x)
