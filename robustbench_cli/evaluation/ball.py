"""Norm balls around images: distances in float64, and rounding that stays inside."""

from __future__ import annotations

from typing import Literal

import torch
from foolbox import distances
from torch import Tensor

Norm = Literal["linf", "l2"]

TOLERANCE = 1e-6
"""Relative: a perturbation of norm d is inside the ball of radius eps if d <= eps · (1 + 1e-6)."""

_ROUNDING = 1.2e-7  # two float32 steps just below 1, the most that clipping can be off by

_FOOLBOX = {"linf": distances.linf, "l2": distances.l2}


def distance(x: Tensor, images: Tensor, norm: Norm) -> Tensor:
    """The norm of each perturbation: two (N, C, H, W) -> (N,), float64, in pixels of [0, 1]."""
    change = (_double(images) - _double(x)).flatten(1)
    return change.abs().amax(1) if norm == "linf" else torch.linalg.vector_norm(change, dim=1)


def inside(distances: Tensor, eps: float) -> Tensor:
    """Whether each distance fits into the ball of radius `eps`."""
    return distances <= eps * (1 + TOLERANCE)


def into_ball(x: Tensor, images: Tensor, eps: float, norm: Norm) -> Tensor:
    """`images` clipped to the ball around `x` and to [0, 1], as float32.

    Foolbox clips in float32, whose rounding (up to 3e-8 per pixel) exceeds the tolerance where
    eps is small; what sticks out is pulled in by the last digit.
    """
    clipped = _FOOLBOX[norm].clip_perturbation(x, images, eps).clamp(0, 1)
    return _round_linf(x, clipped, eps) if norm == "linf" else _round_l2(x, clipped, eps)


def _round_linf(x: Tensor, images: Tensor, eps: float) -> Tensor:
    for _ in range(0 if eps * TOLERANCE > _ROUNDING else 2):
        out = ~inside((_double(images) - _double(x)).abs(), eps).to(x.device)
        if not out.any():
            break
        images = torch.where(out & images.isfinite(), torch.nextafter(images, x), images)
    return images


def _round_l2(x: Tensor, images: Tensor, eps: float) -> Tensor:
    for attempt in range(6):
        distances = distance(x, images, "l2")
        out = ~inside(distances, eps) & distances.isfinite()
        if not out.any():
            break
        shrink = eps / distances * (1 - min(TOLERANCE * 16**attempt, 1))
        factor = torch.where(out, shrink, 1.0)[:, None, None, None]
        pulled = _double(x) + (_double(images) - _double(x)) * factor
        images = torch.where(out.to(x.device)[:, None, None, None], pulled.to(images), images)
    return images


def _double(images: Tensor) -> Tensor:
    return (images.cpu() if images.device.type == "mps" else images).double()
