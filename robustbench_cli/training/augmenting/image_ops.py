"""Pillow's classic image operations on whole batches, on the device, each image with its own level.

Images are (N, C, H, W) float tensors of whole levels from 0 to 255, as are the results. Except for
rounding in the last level they agree with Pillow's functions of the same name.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def posterize(x: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest `bits` (N,) of the eight bits of each pixel."""
    step = (2.0 ** (8 - bits)).reshape(-1, 1, 1, 1)
    return (x / step).floor() * step


def solarize(x: Tensor, threshold: Tensor) -> Tensor:
    """Invert the pixels at or above `threshold` (N,)."""
    return torch.where(x < threshold.reshape(-1, 1, 1, 1), x, 255 - x)


def autocontrast(x: Tensor) -> Tensor:
    """Stretch each channel from its darkest to its brightest pixel over all levels."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    stretched = ((x - low) * 255 / (high - low).clamp(min=1)).floor()
    return torch.where(high > low, stretched, x)


def equalize(x: Tensor) -> Tensor:
    """Map each channel's levels so that they occur about equally often."""
    levels = x.flatten(2).long()
    counts = torch.zeros(*x.shape[:2], 256, device=x.device, dtype=x.dtype)
    counts = counts.scatter_add(2, levels, torch.ones_like(levels, dtype=x.dtype))
    brightest = levels.amax(2, keepdim=True)
    total = x.shape[2] * x.shape[3]
    step = ((total - counts.gather(2, brightest)) / 255).floor()
    below = counts.cumsum(2) - counts
    table = (((step / 2).floor() + below) / step.clamp(min=1)).floor().clamp(max=255)
    mapped = table.gather(2, levels).view_as(x)
    return torch.where(step[..., None] > 0, mapped, x)


def warp(x: Tensor, matrix: Tensor) -> Tensor:
    """Take each pixel from where the affine map `matrix` (N, 2, 3) sends it; black from outside.

    Maps (column, row, 1) to the place in the source, in units in which the image reaches from -1 to
    1 both ways; bilinear there, with the border's colour up to the very edge.
    """
    n, _, height, width = x.shape
    across, along = _centres(width, x.device), _centres(height, x.device)
    rows, columns = along.repeat_interleave(width), across.repeat(height)
    here = torch.stack([columns, rows, torch.ones_like(rows)])
    place = (matrix.reshape(2 * n, 3) @ here).view(n, 2, height, width)
    taken = F.grid_sample(x, place.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)
    right, down = place.abs_().tensor_split(2, 1)
    inside = torch.maximum(right, down) < 1
    # whole levels that came out a rounding error short stay whole
    return taken.add_(1e-3).floor_().mul_(inside)


def _centres(side: int, device: torch.device) -> Tensor:
    """Of the pixels of a side that reaches from -1 to 1."""
    return (2 * torch.arange(side, device=device) + 1) / side - 1
