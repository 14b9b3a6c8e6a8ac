"""Square attack in L2 and L1: what one square gives up goes into a pattern in another.

    start: x + eps · d / ||d||, d a tiling of 5 x 5 patterns, each of a random sign
    then:  one square of d is emptied, and its norm, with what the budget still holds, goes into a
           pattern in another square; kept if the label's lead shrinks

A pattern is two bumps of opposite signs, side by side. The squares lie at the same place in all
images of a batch, as in the authors' PyTorch code; signs are drawn for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from robustbench_cli.evaluation.chance import Chance
from robustbench_cli.spec import param

from .geometry import Radius
from .square import SquareSearch

_TINY = 1e-12


@dataclass(kw_only=True)
class BumpSearch(SquareSearch):
    """Both norms; `order` is 1 or 2."""

    order: ClassVar[Literal[1, 2]]
    smallest: ClassVar[int] = 3

    p_init: float = param(0.1, "share of the image that the first squares cover", low=0, high=1)

    def start(self, x: Tensor, eps: Radius, chance: Chance) -> Tensor:
        height, width = x.shape[2:]
        side = max(min(height, width) // 5, 1)
        tiles = torch.zeros_like(x)
        for top in range(0, height - side + 1, side):
            for left in range(0, width - side + 1, side):
                tile = _signed(x, side, self.order, chance)
                tiles[:, :, top : top + side, left : left + side] = tile
        return (x + eps * tiles / (self._length(tiles) + _TINY)).clamp(0, 1)

    def propose(self, x: Tensor, images: Tensor, eps: Radius, side: int, chance: Chance) -> Tensor:
        side = min(side + 1 - side % 2, *x.shape[2:])  # an odd side has a middle
        change, order = images - x, self.order
        filled, emptied = _square(x, side, chance), _square(x, side, chance)
        unused = (eps**order - self._length(change) ** order).clamp(min=0)
        both = torch.zeros_like(x[:1, :1])
        both[filled] = both[emptied] = 1
        budget = (unused / x.shape[1] + self._length(change * both) ** order) ** (1 / order)
        old = change[filled] / (self._in_channel(change[filled]) + _TINY)
        new = _signed(x, side, order, chance) + old
        change[emptied] = 0
        change[filled] = new / (self._in_channel(new) + _TINY) * budget
        return (x + change * eps / (self._length(change) + _TINY)).clamp(0, 1)

    def _length(self, change: Tensor) -> Tensor:
        """(n, C, H, W) -> (n, 1, 1, 1)."""
        lengths: Tensor = torch.linalg.vector_norm(change, self.order, (1, 2, 3), keepdim=True)
        return lengths

    def _in_channel(self, change: Tensor) -> Tensor:
        """(n, C, h, w) -> (n, C, 1, 1)."""
        lengths: Tensor = torch.linalg.vector_norm(change, self.order, (2, 3), keepdim=True)
        return lengths


def pattern(height: int, width: int, order: int = 2, *, chance: Chance) -> Tensor:
    """Two bumps of opposite signs, one above or beside the other; (height, width), norm 1."""
    half = height // 2
    both = torch.cat([_bump(half, width, order), -_bump(height - half, width, order)])
    both = _unit(both, order)
    return both.T if height == width and chance.coin() else both


def _bump(height: int, width: int, order: int) -> Tensor:
    """Nested rectangles around the middle, ring r higher by 1 / (r + 1)^2; norm 1."""
    made = torch.zeros(height, width)
    top, left = height // 2, width // 2
    for ring in range(max(height // 2, width // 2) + 1):
        rows = slice(max(top - ring, 0), min(top + ring + 1, height))
        columns = slice(max(left - ring, 0), min(left + ring + 1, width))
        made[rows, columns] += 1 / (ring + 1) ** 2
    return _unit(made, order)


def _unit(patch: Tensor, order: int) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(patch, order)
    return patch / (norm + _TINY)


def _square(x: Tensor, side: int, chance: Chance) -> tuple[slice, slice, slice, slice]:
    top, left = (chance.place(size - side + 1) for size in x.shape[2:])
    return slice(None), slice(None), slice(top, top + side), slice(left, left + side)


def _signed(x: Tensor, side: int, order: int, chance: Chance) -> Tensor:
    """A pattern for each channel of each image, of a random sign: (n, C, side, side)."""
    made = pattern(side, side, order, chance=chance).to(x, non_blocking=True)
    return made * (2.0 * chance.integers(2, (*x.shape[:2], 1, 1), x.device) - 1)
