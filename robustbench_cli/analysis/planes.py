"""Planes: two orthonormal directions through an image, windows in them, and principal axes."""

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


def principal(codes: Tensor) -> tuple[Tensor, Tensor, float]:
    """The plane of the largest variance of codes (n, d): its origin (d,), its axes (2, d), a share.

    The origin is the mean, the share that of the variance that lies in the plane. The component of
    an axis that is largest in absolute value is positive. Codes without a second direction (one
    dimension, or all on a line) have zeros for its axis.
    """
    origin = codes.mean(0)
    _, values, rows = torch.linalg.svd(codes - origin, full_matrices=False)
    total = float(values.square().sum())
    axes = codes.new_zeros(2, codes.shape[1])
    for i in range(min(2, len(values))):
        if float(values[i]) > FLAT * max(1.0, float(values[0])):
            axes[i] = rows[i] * rows[i][rows[i].abs().argmax()].sign()
    return origin, axes, float(values[:2].square().sum()) / total if total else 1.0
