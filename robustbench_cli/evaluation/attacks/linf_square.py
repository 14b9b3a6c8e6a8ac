"""Square attack: random search with square patches, guided by scores alone, in Linf.

    start: x + eps · s, s = ±1 in vertical stripes of one pixel
    then:  a square of x' becomes x ± eps (one sign per channel), kept if the label's lead shrinks

A proposal that would change nothing has its signs turned. Squares are placed anew for each image,
also at the lower and right edge, which the authors' code leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from robustbench_cli.evaluation.algorithms.square import SquareSearch
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfSquare(SquareSearch):
    norm: ClassVar[Norm] = "linf"

    def start(self, x: Tensor, eps: float) -> Tensor:
        n, channels, _, width = x.shape
        stripes = torch.randint(2, (n, channels, 1, width), device=x.device)
        return (x + eps * (2 * stripes - 1)).clamp(0, 1)

    def propose(self, x: Tensor, images: Tensor, eps: float, side: int) -> Tensor:
        n, channels, height, width = x.shape
        rows, columns = _window(n, height, side, x), _window(n, width, side, x)
        square = rows[:, None, :, None] & columns[:, None, None, :]
        sign = 2 * torch.randint(2, (n, channels, 1, 1), device=x.device) - 1
        tried = torch.where(square, (x + eps * sign).clamp(0, 1), images)
        idle = (tried == images).flatten(1).all(1)[:, None, None, None]
        return torch.where(square & idle, (x - eps * sign).clamp(0, 1), tried)


def _window(n: int, size: int, side: int, like: Tensor) -> Tensor:
    """(n, size), True at `side` neighbouring places."""
    first = torch.randint(size - side + 1, (n, 1), device=like.device)
    places = torch.arange(size, device=like.device)
    return (places >= first) & (places < first + side)
