"""Moving the tiles of images about: grids of blocks, and which tile goes where."""

from __future__ import annotations

import torch
from torch import Tensor


def grid_sides(height: int, width: int, largest: int) -> list[int]:
    """Powers of two from 2 to `largest` that divide both sides of an image; [1] if there is none.

    An image of 32x32 has 2, 4, 8 and 16, one of 28x28 has 2 and 4.
    """
    found = [2**k for k in range(1, 10) if 2**k <= largest]
    return [n for n in found if height % n == 0 and width % n == 0] or [1]


def tile_side(block: int, least: int) -> int:
    """The shortest side of at least `least` pixels that divides a block, or the block's own."""
    return next(side for side in range(min(least, block), block + 1) if block % side == 0)


def split(x: Tensor, rows: int, columns: int) -> Tensor:
    """(N, C, rows·columns, pixels): the tiles of x (N, C, H, W), row by row."""
    n, channels, height, width = x.shape
    tiles = x.reshape(n, channels, rows, height // rows, columns, width // columns)
    return tiles.transpose(3, 4).reshape(n, channels, rows * columns, -1)


def join(tiles: Tensor, rows: int, columns: int, height: int, width: int) -> Tensor:
    """The images (N, C, height, width) that :func:`split` took apart."""
    n, channels = tiles.shape[:2]
    x = tiles.view(n, channels, rows, columns, height // rows, width // columns)
    return x.transpose(3, 4).reshape(n, channels, height, width)


def move(x: Tensor, source: Tensor, rows: int, columns: int) -> Tensor:
    """x (N, C, H, W) with tile ``source[n, i]`` at place i; source (N, rows·columns)."""
    tiles = split(x, rows, columns)
    index = source[:, None, :, None].expand_as(tiles)
    return join(tiles.gather(2, index), rows, columns, *x.shape[2:])


def squared_distances(rows: int, columns: int, device: torch.device) -> Tensor:
    """(T, T) between places of a grid, in units of its longer side."""
    place = torch.arange(rows * columns, device=device)
    down, right = place // columns, place % columns
    squared = (down[:, None] - down).square() + (right[:, None] - right).square()
    return squared / max(rows - 1, columns - 1, 1) ** 2


def matching(cost: Tensor, rounds: int) -> Tensor:
    """(N, T): which tile stands at each place, a permutation that costs no more than the identity.

    cost: (N, T, T), of moving tile i to place j. In each round every place looks for the place
    with which exchanging tiles saves most, and those that find each other exchange.
    """
    stay = torch.arange(cost.shape[1], device=cost.device).expand(cost.shape[:2])
    source = stay
    for _ in range(rounds):
        now = cost.diagonal(dim1=1, dim2=2)
        # two sums, so that rounding treats both partners alike
        saving, partner = ((now[:, None] + now[..., None]) - (cost + cost.mT)).max(2)
        mutual = (partner.gather(1, partner) == stay) & (saving > 0)
        partner = torch.where(mutual, partner, stay)
        source = source.gather(1, partner)
        cost = cost.gather(1, partner[..., None].expand_as(cost))  # the rows move with the tiles
    return source
