"""Planes through images: two orthonormal directions, and the points of a window around an image."""

from __future__ import annotations

import torch
from torch import Tensor

FLAT = 1e-12
"""A direction shorter than this is none."""


def orthonormal(first: Tensor, second: Tensor) -> Tensor:
    """Gram and Schmidt: two (n, d) -> (n, 2, d), each pair of rows of length 1 and orthogonal.

    A direction that vanishes, or is the multiple of the first, stays zero.
    """
    a, b = first.double(), second.double()
    u = _unit(a, a)
    v = b
    for _ in range(2):  # once more, for what rounding left
        v = v - (v * u).sum(1, keepdim=True) * u
    return torch.stack([u, _unit(v, b)], 1).to(first)


def _unit(rest: Tensor, whole: Tensor) -> Tensor:
    """`rest` with length 1; zero where next to nothing of `whole` is left."""
    length, least = rest.norm(dim=1, keepdim=True), 1e-6 * whole.norm(dim=1, keepdim=True)
    return torch.where(length > least.clamp(min=FLAT), rest / length.clamp(min=FLAT), 0)


def window(points: int, half: float, device: torch.device) -> Tensor:
    """(points², 2): coordinates from -half to half, the second one running fastest.

    An odd number of points has the centre among them, exactly.
    """
    axis = torch.arange(points, device=device) - (points - 1) / 2
    axis = axis * (2 * half / (points - 1))
    return torch.cartesian_prod(axis, axis)


def on_plane(x: Tensor, directions: Tensor, coordinates: Tensor) -> Tensor:
    """x (d,) + coordinates (m, 2) @ directions (2, d) -> (m, d)."""
    return torch.addmm(x, coordinates.to(x), directions)
