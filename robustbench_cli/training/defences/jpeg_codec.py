"""What JPEG does to images, without writing files: batched and, but for the rounding, linear.

ITU-T T.81 (1992): quantisation tables of annex K, colours of JFIF, quality as libjpeg counts it.
"""

from __future__ import annotations

from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

from .placing import place, whole
from .surrogate import replace_value, rounded

_LUMA = """
16 11 10 16 24 40 51 61  12 12 14 19 26 58 60 55  14 13 16 24 40 57 69 56  14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77  24 35 55 64 81 104 113 92  49 64 78 87 103 121 120 101
72 92 95 98 112 100 103 99
"""
_CHROMA = "17 18 24 47  18 21 26 66  24 26 56 99  47 66 99 99"  # 99 outside this corner
_TO_YCC = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)


def compress(x: Tensor, quality: int, subsample: bool, gradient: str) -> Tensor:
    """Images (N, C, H, W) in [0, 1] after a JPEG compression, again in [0, 1].

    Three channels are colours, any other number is so many grey images. `gradient`: of rounding
    and clipping, as for :func:`~robustbench_cli.training.defences.surrogate.replace_value`.
    """
    levels = _as_bytes(x * 255, gradient)
    if x.shape[1] == 3:
        matrix = torch.tensor(_TO_YCC, dtype=torch.float64)
        colours = torch.einsum("ij,njhw->nihw", matrix.to(x), levels)
        luma = _plane(colours[:, :1] - 128, luma_table(quality), gradient) + 128
        chroma = _chroma(colours[:, 1:], chroma_table(quality), subsample, gradient)
        back = torch.linalg.inv(matrix).to(x)
        levels = torch.einsum("ij,njhw->nihw", back, torch.cat([luma, chroma], 1))
    else:
        levels = _plane(levels - 128, luma_table(quality), gradient) + 128
    return _as_bytes(levels, gradient) / 255


def _as_bytes(levels: Tensor, gradient: str) -> Tensor:
    """Whole levels of 0 to 255. Also what sticks out keeps its gradient: half of black does."""
    return replace_value(levels, levels.detach().round().clamp(0, 255), gradient)


def luma_table(quality: int) -> Tensor:
    """(8, 8), the divisors of brightness."""
    return _scaled(torch.tensor([float(n) for n in _LUMA.split()]).view(8, 8), quality)


def chroma_table(quality: int) -> Tensor:
    """(8, 8), the divisors of colour."""
    table = torch.full((8, 8), 99.0)
    table[:4, :4] = torch.tensor([float(n) for n in _CHROMA.split()]).view(4, 4)
    return _scaled(table, quality)


def _scaled(table: Tensor, quality: int) -> Tensor:
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return ((table * percent + 50) / 100).floor().clamp(1, 255)


def _chroma(planes: Tensor, table: Tensor, subsample: bool, gradient: str) -> Tensor:
    height, width = planes.shape[2:]
    if not subsample:
        return _plane(planes, table, gradient)
    small = _plane(F.avg_pool2d(_grown(planes, 2), 2), table, gradient)
    old, new = small.shape[2:], [2 * side for side in small.shape[2:]]
    source, target = (
        (whole(len(small), sides[0], small.device), whole(len(small), sides[1], small.device))
        for sides in (old, new)
    )
    planes = place(small, source, target, (new[0], new[1]), "bilinear")  # as libjpeg smooths it
    return planes[:, :, :height, :width]


def _plane(levels: Tensor, table: Tensor, gradient: str) -> Tensor:
    """Levels around zero, quantised in the frequencies of each block of 8x8 pixels."""
    height, width = levels.shape[2:]
    blocks = _grown(levels, 8).unfold(2, 8, 8).unfold(3, 8, 8)  # (N, C, rows, columns, 8, 8)
    basis, table = cosines(levels.dtype).to(levels.device), table.to(levels)
    kept = rounded(basis @ blocks @ basis.T / table, gradient) * table
    planes = (basis.T @ kept @ basis).transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return planes[:, :, :height, :width]


def _grown(planes: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until both sides are multiples."""
    height, width = planes.shape[2:]
    return F.pad(planes, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def cosines(dtype: torch.dtype) -> Tensor:
    """(8, 8), orthonormal: the cosine transform of type II, frequencies in rows."""
    k = torch.arange(8, dtype=torch.float64)
    basis = torch.cos(pi * (2 * k + 1) * k[:, None] / 16) / 2
    basis[0] /= 2**0.5
    return basis.to(dtype)
