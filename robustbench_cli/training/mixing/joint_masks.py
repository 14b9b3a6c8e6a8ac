"""Which image each block of each mixture shows, chosen jointly for all mixtures of a part.

z[o, i, k] is the share of image i in block k of mixture o: 1, or ½ each for two images. While the
other mixtures stand still, one mixture's energy is Σ z·cost + β/2 Σ_neighbours ‖z_k - z_l‖², where
the cost contains a price on images that the others show already. So mixtures are solved in turn
(block coordinates, modularised), for several parts at once; within one, every second block at once,
as on a checkerboard: from where it stands and from each block's cheapest image after four blurs of
the costs, of which the best result is kept. A mixture's energy never rises.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

BONUS = 5e-4  # of a block that shows two images; as in the authors' code
SWEEPS = 2


class Blocks(NamedTuple):
    """K blocks of a grid.

    near: (K, K), 1 where two share a side. odd: (K,), the colour on the checkerboard. blurs:
    (4, K, K), from a block alone over its surroundings to the whole grid.
    """

    near: Tensor
    odd: Tensor
    blurs: Tensor

    @classmethod
    def grid(cls, rows: int, columns: int, device: torch.device) -> Blocks:
        k = torch.arange(rows * columns, device=device)
        down, right = k // columns, k % columns
        apart = (down[:, None] - down).abs() + (right[:, None] - right).abs()
        near, alone = (apart == 1).float(), (apart == 0).float()
        blurs = torch.stack([alone, alone + near / 2, alone + near, torch.ones_like(near)])
        return cls(near, (down + right) % 2 == 1, blurs)


def joint_masks(
    cost: Tensor,
    compatibility: Tensor,
    real: Tensor,
    blocks: Blocks,
    *,
    beta: float,
    gamma: float,
    tau: float,
    iterations: int,
) -> Tensor:
    """z (P, M mixtures, M images, K) for P parts of M images, from a random start.

    cost: (P, M, K), of showing image i in block k. compatibility: (P, M, M), how much an image that
    others show makes another one dear. real: (P, M), 0 for images that only fill a part up.
    Beyond a burden of `tau` blocks an image costs 2·gamma·burden more.
    """
    parts, m, size = cost.shape
    z = F.one_hot(torch.randint(m, (parts, m, size), device=cost.device), m).mT.to(cost.dtype)
    z = z * real[:, :, None, None]
    counts = z.sum(3)
    twins = torch.zeros_like(counts)
    for iteration in range(iterations):
        for o in range(m):
            others = counts.sum(1) - counts[:, o]
            burden = (compatibility @ others[..., None])[..., 0]
            price = 2 * gamma * burden * (burden > tau) + gamma * twins[:, o]
            mixture = solve_one(z[:, o], cost + price[..., None], blocks, beta, iteration > 0)
            z[:, o] = mixture * real[:, o, None, None]
            counts[:, o] = z[:, o].sum(2)
        if iteration == iterations - 2:
            twins = _tell_twins_apart(counts)
    return z


def _tell_twins_apart(counts: Tensor) -> Tensor:
    """(P, M, M): 1 where mixture o should avoid image i, as another one shows the same images.

    The earlier of two avoids their first image and the later one their second.
    """
    shown = counts > 0
    first = F.one_hot(shown.int().argmax(2), shown.shape[2]).bool()
    second = F.one_hot((shown & ~first).int().argmax(2), shown.shape[2]).bool()
    same = (shown[:, :, None] == shown[:, None]).all(3) & (shown.sum(2) > 1)[:, :, None]
    later = same.triu(1)
    return (later.any(2)[..., None] & first | later.any(1)[..., None] & second).to(counts.dtype)


def energy(z: Tensor, cost: Tensor, blocks: Blocks, beta: float) -> Tensor:
    """(...): of one mixture z (..., M, K), with the bonus for blocks that show two images."""
    square = z.square().sum(-2)
    rough = (square * blocks.near.sum(0)).sum(-1) - (z * (z @ blocks.near)).sum((-2, -1))
    halves = 2 * (z.sum(-2) - square).sum(-1)
    return (z * cost).sum((-2, -1)) + beta / 2 * rough - BONUS * halves


def solve_one(z: Tensor, cost: Tensor, blocks: Blocks, beta: float, halves: bool) -> Tensor:
    """One mixture (P, M, K), of no more energy than z.

    With `halves` a block may show two images, of the three that z shows most of.
    """
    m = z.shape[1]
    starts = (cost @ blocks.blurs[:, None]).argmin(2)
    trial = torch.cat([z[None], F.one_hot(starts, m).mT.to(z.dtype)])
    pairs = _Pairs(z) if halves and m > 1 else None
    smooth = beta / 2 * blocks.near.sum(0)
    for _ in range(SWEEPS):
        for colour in (blocks.odd, ~blocks.odd):
            price = cost - beta * (trial @ blocks.near)
            lowest, image = price.min(2)
            best = F.one_hot(image, m).mT.to(z.dtype)
            if pairs:
                dear, pair = pairs.cheapest(price)
                two = dear - smooth / 2 - BONUS < lowest
                best = torch.where(two[:, :, None], pair, best)
            trial = torch.where(colour, best, trial)
    trial = torch.cat([z[None], trial])  # z may show two images that are no pair any more
    chosen = energy(trial, cost, blocks, beta).argmin(0)
    return trial.gather(0, chosen[None, :, None, None].expand(1, *z.shape))[0]


class _Pairs:
    """Pairs of the three images that a mixture shows most of; only of images it does show."""

    def __init__(self, z: Tensor) -> None:
        counts, most = z.sum(2).topk(min(3, z.shape[1]), 1)
        each = F.one_hot(most, z.shape[1]).to(z.dtype)  # (P, 3, M)
        pairs = list(combinations(range(most.shape[1]), 2))
        self.shares = torch.stack([(each[:, i] + each[:, j]) / 2 for i, j in pairs], 1)
        least = torch.stack([counts[:, j] for _, j in pairs], 1)  # counts fall from i to j
        self.missing = torch.where(least > 0, 0.0, torch.inf)

    def cheapest(self, price: Tensor) -> tuple[Tensor, Tensor]:
        """The lowest price (S, P, K) of half and half, and its shares (S, P, M, K)."""
        lowest, index = (self.shares @ price + self.missing[..., None]).min(2)
        return lowest, self.shares.mT @ F.one_hot(index, self.shares.shape[1]).mT.to(price.dtype)
