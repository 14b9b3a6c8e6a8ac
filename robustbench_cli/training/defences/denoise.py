"""The smoothest image near a given one: total variation, by a primal-dual iteration."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def smoothest(x: Tensor, kept: Tensor, weight: float, steps: int) -> Tensor:
    """argmin_z of ½ Σ kept·(z - x)² + weight · Σ |∇z|, approximately; (N, C, H, W) as x.

    Chambolle & Pock, JMIV 2011, algorithm 1, with steps of 1/√8, from x. |∇z| is the length of the
    differences to the pixels below and to the right, zero beyond the border.
    """
    pace = 8**-0.5
    z = ahead = x
    down, right = torch.zeros_like(x), torch.zeros_like(x)
    for _ in range(steps):
        below, beside = differences(ahead)
        down, right = down + pace * below, right + pace * beside
        squared = down.square() + right.square()
        # the root has no gradient at zero, and none is needed inside the ball
        outside = squared > weight**2
        length = torch.where(outside, squared, weight**2 or 1.0).sqrt()
        scale = torch.where(outside, weight / length, 1.0)
        down, right = down * scale, right * scale
        moved = z + pace * _divergence(down, right)
        before, z = z, (moved + pace * kept * x) / (1 + pace * kept)
        ahead = 2 * z - before
    return z


def differences(z: Tensor) -> tuple[Tensor, Tensor]:
    """To the pixel below and to the one on the right; zero at the last row and column."""
    below = F.pad(z[:, :, 1:] - z[:, :, :-1], (0, 0, 0, 1))
    beside = F.pad(z[..., 1:] - z[..., :-1], (0, 1))
    return below, beside


def _divergence(down: Tensor, right: Tensor) -> Tensor:
    """Minus the transpose of :func:`differences`."""
    down, right = F.pad(down[:, :, :-1], (0, 0, 1, 1)), F.pad(right[..., :-1], (1, 1))
    return down[:, :, 1:] - down[:, :, :-1] + right[..., 1:] - right[..., :-1]
