"""Norm balls around images: distances in float64, and rounding that stays inside."""

from __future__ import annotations

from typing import Any, Literal

import torch
from eagerpy.astensor import astensor
from foolbox import distances
from torch import Tensor

Norm = Literal["linf", "l2", "l1", "l0", "none"]
"""l0 counts changed values, so a pixel of a colour image counts up to three. none: no distance
measures the change (a rotation); epsilon is then a share of the largest that the attack makes."""

TOLERANCE = 1e-6
"""Relative: a perturbation of norm d is inside the ball of radius eps if d <= eps · (1 + 1e-6)."""

_ROUNDING = 1.2e-7  # two float32 steps just below 1, the most that clipping can be off by

_FOOLBOX = {"linf": distances.linf, "l2": distances.l2, "l1": distances.l1}


def distance(x: Tensor, images: Tensor, norm: Norm) -> Tensor:
    """The norm of each perturbation: two (N, C, H, W) -> (N,), float64, in pixels of [0, 1].

    0 where `norm` is none; NaN for an image that is not finite.
    """
    change = (_double(images) - _double(x)).flatten(1)
    if norm == "linf":
        return change.abs().amax(1)
    if norm in ("l0", "none"):
        nothing = (0 * change.sum(1)).abs()
        return nothing + (change != 0).sum(1) if norm == "l0" else nothing
    lengths: Tensor = torch.linalg.vector_norm(change, ord=1 if norm == "l1" else 2, dim=1)
    return lengths


def inside(distances: Tensor, eps: float | Tensor) -> Tensor:
    """Whether each distance fits into the ball of radius `eps`; one for all, or one for each."""
    if isinstance(eps, Tensor):
        eps = eps.to(distances)
    return distances <= eps * (1 + TOLERANCE)


def into_ball(x: Tensor, images: Tensor, eps: float | Tensor, norm: Norm) -> Tensor:
    """`images` clipped to the ball around `x` and to [0, 1], as float32.

    `eps`: one for all, or (N,), float64. Foolbox clips in float32, whose rounding (up to 3e-8 per
    pixel) exceeds the tolerance where eps is small; what sticks out is pulled in by the last digit.
    """
    if norm == "none":
        return images.clamp(0, 1)
    if norm == "l0":
        return (x + largest(images - x, torch.as_tensor(eps, device=x.device))).clamp(0, 1)
    clipped = _FOOLBOX[norm].clip_perturbation(x, images, _broad(eps, norm, x)).clamp(0, 1)
    return _round_linf(x, clipped, eps) if norm == "linf" else _shrink(x, clipped, eps, norm)


def largest(change: Tensor, count: Tensor) -> Tensor:
    """The `count` (a number, or (n,)) largest values of each (n, C, H, W), rounded down; else 0."""
    flat = change.flatten(1)
    order = flat.abs().argsort(dim=1, descending=True)
    places = torch.arange(flat.shape[1], device=flat.device).expand_as(order)
    rank = torch.empty_like(order).scatter_(1, order, places)
    return torch.where(rank < count.floor().reshape(-1, 1), flat, 0).reshape(change.shape)


def _broad(eps: float | Tensor, norm: Norm, x: Tensor) -> Any:
    """What Foolbox's functions take for an epsilon: a number, or a tensor that broadcasts."""
    if not isinstance(eps, Tensor):
        return eps
    return eps.to(x)[:, None, None, None] if norm == "linf" else astensor(eps.to(x))


def _round_linf(x: Tensor, images: Tensor, eps: float | Tensor) -> Tensor:
    smallest, radius = float(torch.as_tensor(eps).min()), eps
    if isinstance(radius, Tensor):
        radius = radius[:, None, None, None]
    for _ in range(0 if smallest * TOLERANCE > _ROUNDING else 2):
        out = ~inside((_double(images) - _double(x)).abs(), radius).to(x.device)
        if not out.any():
            break
        images = torch.where(out & images.isfinite(), torch.nextafter(images, x), images)
    return images


def _shrink(x: Tensor, images: Tensor, eps: float | Tensor, norm: Norm) -> Tensor:
    for attempt in range(6):
        distances = distance(x, images, norm)
        out = ~inside(distances, eps) & distances.isfinite()
        if not out.any():
            break
        shrink = torch.as_tensor(eps).to(distances) / distances
        shrink = shrink * (1 - min(TOLERANCE * 16**attempt, 1))
        factor = torch.where(out, shrink, 1.0)[:, None, None, None]
        pulled = _double(x) + (_double(images) - _double(x)) * factor
        images = torch.where(out.to(x.device)[:, None, None, None], pulled.to(images), images)
    return images


def _double(images: Tensor) -> Tensor:
    return (images.cpu() if images.device.type == "mps" else images).double()
