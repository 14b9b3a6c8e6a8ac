"""Square attack: random search with square patches, guided by scores alone, in L2.

    start: x + eps · d / ||d||_2, d a tiling of 5 x 5 patterns, each of a random sign
    then:  one square of d is emptied, and its norm, with what the budget still holds, goes into a
           pattern in another square; kept if the label's lead shrinks

A pattern is two bumps of opposite signs, side by side. The squares lie at the same place in all
images of a batch, as in the authors' PyTorch code; signs are drawn for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from robustbench_cli.evaluation.algorithms.geometry import length
from robustbench_cli.evaluation.algorithms.square import SquareSearch
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param

_TINY = 1e-12


@dataclass(kw_only=True)
class L2Square(SquareSearch):
    norm: ClassVar[Norm] = "l2"
    smallest: ClassVar[int] = 3

    p_init: float = param(0.1, "share of the image that the first squares cover", low=0, high=1)

    def start(self, x: Tensor, eps: float) -> Tensor:
        height, width = x.shape[2:]
        side = max(min(height, width) // 5, 1)
        tiles = torch.zeros_like(x)
        for top in range(0, height - side + 1, side):
            for left in range(0, width - side + 1, side):
                tile = pattern(side, side).to(x, non_blocking=True) * _signs(x)
                tiles[:, :, top : top + side, left : left + side] = tile
        return (x + eps * tiles / (length(tiles) + _TINY)).clamp(0, 1)

    def propose(self, x: Tensor, images: Tensor, eps: float, side: int) -> Tensor:
        side = min(side + 1 - side % 2, *x.shape[2:])  # an odd side has a middle
        change = images - x
        filled, emptied = _square(x, side), _square(x, side)
        unused = (eps**2 - length(change) ** 2).clamp(min=0)
        both = torch.zeros_like(x[:1, :1])
        both[filled] = both[emptied] = 1
        budget = (unused / x.shape[1] + length(change * both) ** 2).sqrt()
        old = change[filled] / (_length_2d(change[filled]) + _TINY)
        new = pattern(side, side).to(x, non_blocking=True) * _signs(x) + old
        change[emptied] = 0
        change[filled] = new / (_length_2d(new) + _TINY) * budget
        return (x + change * eps / (length(change) + _TINY)).clamp(0, 1)


def pattern(height: int, width: int) -> Tensor:
    """Two bumps of opposite signs, one above or beside the other; (height, width), norm 1."""
    half = height // 2
    both = torch.cat([_bump(half, width), -_bump(height - half, width)])
    both = _unit(both)
    return both.T if height == width and torch.rand(()) > 0.5 else both


def _bump(height: int, width: int) -> Tensor:
    """Nested rectangles around the middle, ring r higher by 1 / (r + 1)^2; norm 1."""
    made = torch.zeros(height, width)
    top, left = height // 2, width // 2
    for ring in range(max(height // 2, width // 2) + 1):
        rows = slice(max(top - ring, 0), min(top + ring + 1, height))
        columns = slice(max(left - ring, 0), min(left + ring + 1, width))
        made[rows, columns] += 1 / (ring + 1) ** 2
    return _unit(made)


def _unit(patch: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(patch)
    return patch / (norm + _TINY)


def _square(x: Tensor, side: int) -> tuple[slice, slice, slice, slice]:
    top, left = (int(torch.randint(size - side + 1, ())) for size in x.shape[2:])
    return slice(None), slice(None), slice(top, top + side), slice(left, left + side)


def _signs(x: Tensor) -> Tensor:
    return 2.0 * torch.randint(2, (*x.shape[:2], 1, 1), device=x.device) - 1


def _length_2d(change: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(change, dim=(2, 3), keepdim=True)
    return lengths
