"""Moves inside a ball of one norm, for attacks that are written here: Linf and L2."""

from __future__ import annotations

import torch
from torch import Tensor

from robustbench_cli.evaluation.chance import Chance
from robustbench_cli.evaluation.verification.ball import Norm

_TINY = 1e-12

Radius = float | Tensor
"""One for all, or one for each sample: (n, 1, 1, 1), float32 in pixels, on their device."""


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """The direction of length 1 in which a loss rises fastest: its sign, or the unit vector."""
    return gradient.sign() if norm == "linf" else gradient / (length(gradient) + _TINY)


def project(x: Tensor, images: Tensor, eps: Radius, norm: Norm) -> Tensor:
    """The nearest images in the ball around `x`, clipped to [0, 1]."""
    change = images - x
    if norm == "linf":
        change = change.clamp(-eps, eps)  # type: ignore[arg-type]  # of one kind, both
    else:
        change = change * (eps / (length(change) + _TINY)).clamp(max=1)
    return (x + change).clamp(0, 1)


def on_the_sphere(x: Tensor, eps: Radius, norm: Norm, chance: Chance) -> Tensor:
    """A random point at distance `eps` from each image, before it is clipped to [0, 1]."""
    if norm == "linf":
        drawn = 2 * chance.uniform(x) - 1
        return x + eps * drawn / drawn.abs().flatten(1).amax(1)[:, None, None, None]
    drawn = chance.normal(x)
    return x + eps * drawn / (length(drawn) + _TINY)


def dual_length(gradient: Tensor, norm: Norm) -> Tensor:
    """How steeply a loss rises per unit of distance in `norm`: (n, C, H, W) -> (n,)."""
    flat = gradient.flatten(1)
    if norm == "l1":
        return flat.abs().amax(1)
    lengths: Tensor = torch.linalg.vector_norm(flat, ord=1 if norm == "linf" else 2, dim=1)
    return lengths


def length(change: Tensor) -> Tensor:
    """L2 norms: (n, C, H, W) -> (n, 1, 1, 1)."""
    lengths: Tensor = torch.linalg.vector_norm(change, dim=(1, 2, 3), keepdim=True)
    return lengths
