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

from robustbench_cli.evaluation.algorithms.geometry import Radius
from robustbench_cli.evaluation.algorithms.square import SquareSearch
from robustbench_cli.evaluation.chance import Chance
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfSquare(SquareSearch):
    norm: ClassVar[Norm] = "linf"

    def start(self, x: Tensor, eps: Radius, chance: Chance) -> Tensor:
        n, channels, _, width = x.shape
        stripes = chance.integers(2, (n, channels, 1, width), x.device)
        return (x + eps * (2 * stripes - 1)).clamp(0, 1)

    def propose(self, x: Tensor, images: Tensor, eps: Radius, side: int, chance: Chance) -> Tensor:
        n, channels, height, width = x.shape
        rows, columns = (_window(size, side, x, chance) for size in (height, width))
        square = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
        square = square[:, None].expand(n, channels, side * side)  # places in the flat image
        sign = 2 * chance.integers(2, (n, channels, 1), x.device) - 1
        reach = sign * (eps[..., 0] if isinstance(eps, Tensor) else eps)
        middle, old = x.flatten(2).gather(2, square), images.flatten(2).gather(2, square)
        new = (middle + reach).clamp(0, 1)
        idle = (new == old).flatten(1).all(1)[:, None, None]
        new = torch.where(idle, (middle - reach).clamp(0, 1), new)
        return images.flatten(2).scatter(2, square, new).reshape(x.shape)

    def propose_several(
        self, x: Tensor, images: Tensor, eps: Radius, side: int, chance: Chance, times: int
    ) -> Tensor:
        if isinstance(eps, Tensor):
            eps = eps.repeat(times, 1, 1, 1)
        x, images = (each.repeat(times, 1, 1, 1) for each in (x, images))
        return self.propose(x, images, eps, side, chance)


def _window(size: int, side: int, like: Tensor, chance: Chance) -> Tensor:
    """(n, side) neighbouring places out of `size`."""
    first = chance.integers(size - side + 1, (len(like), 1), like.device)
    return first + torch.arange(side, device=like.device)
