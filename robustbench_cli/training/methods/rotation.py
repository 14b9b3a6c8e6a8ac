"""At test time: average the probabilities over randomly rotated images.

A baseline of Pang, Xu & Zhu, "Mixup Inference", ICLR 2020, arXiv 1909.11515: angles uniform in
±20°, 30 draws. Around the centre, black from outside. Bilinear in floats, where the authors rotate
8-bit images to the nearest pixel: so the gradient is exact.
Cost per prediction: `draws` forwards. Training is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.spec import param
from robustbench_cli.training.defences.averaging import Averaged


@dataclass(kw_only=True)
class Rotation(Averaged):
    """Turns each image by an angle of its own."""

    degrees: float = param(20, "largest angle, either way", low=0, high=180)

    def vary(self, x: Tensor) -> Tensor:
        drawn = 2 * torch.rand(len(x), device=x.device, dtype=x.dtype) - 1
        return rotate(x, drawn * self.degrees * pi / 180)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """(N, C, H, W) turned by `angles` (N,) in radians, counterclockwise, as a viewer sees it."""
    height, width = x.shape[2:]
    cos, sin, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    # in units in which both sides reach from -1 to 1
    rows = [cos, -sin * height / width, zero, sin * width / height, cos, zero]
    grid = F.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)
