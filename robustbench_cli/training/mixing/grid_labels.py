"""The cheapest labelling of a grid of cells, where neighbours pay for having different labels.

E(l) = Σ_cells unary[l] + Σ_neighbours weight · distance[l, l']. Everything is batched, stays on the
device and takes a fixed number of steps. Small grids are solved exactly, row by row, by dynamic
programming over all labellings of a row. A larger one starts from the solution of the grid of half
its size (or from each cell's own cheapest label, if that is better); then every second row or
column at a time is solved exactly, which never raises the energy. The result is therefore never
worse than any constant labelling.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

EXACT_STATES = 81  # labellings of a row up to which the exact solver is used
SWEEPS = 2


class Grid(NamedTuple):
    """N independent problems on R x C cells with L labels.

    unary: (N, R, C, L). down: (N, R-1, C) and right: (N, R, C-1), weights of neighbours, >= 0.
    distance: (L, L), symmetric, with a zero diagonal.
    """

    unary: Tensor
    down: Tensor
    right: Tensor
    distance: Tensor

    def transposed(self) -> Grid:
        turned = self.right.transpose(1, 2), self.down.transpose(1, 2)
        return Grid(self.unary.transpose(1, 2), *turned, self.distance)


def energy(grid: Grid, labels: Tensor) -> Tensor:
    """(N,): E of each labelling (N, R, C)."""
    own = grid.unary.gather(3, labels[..., None]).sum((1, 2, 3))
    down = grid.distance[labels[:, 1:], labels[:, :-1]] * grid.down
    right = grid.distance[labels[:, :, 1:], labels[:, :, :-1]] * grid.right
    return own + down.sum((1, 2)) + right.sum((1, 2))


def cheapest(grid: Grid, sweeps: int = SWEEPS) -> Tensor:
    """(N, R, C): labels of low energy; of the lowest, where a row has few enough labellings."""
    _, rows, columns, count = grid.unary.shape
    if count**columns <= EXACT_STATES:
        return _exact(grid)
    if rows % 2 or columns % 2:
        labels = grid.unary.sum((1, 2)).argmin(1)[:, None, None].expand(-1, rows, columns)
    else:
        coarse = cheapest(_coarser(grid), sweeps)
        labels = coarse.repeat_interleave(2, 1).repeat_interleave(2, 2)
    apart = grid.unary.argmin(3)
    better = energy(grid, apart) < energy(grid, labels)
    labels = torch.where(better[:, None, None], apart, labels)
    turned = grid.transposed()
    for _ in range(sweeps):
        for first in (0, 1):
            labels = _relabel_rows(grid, labels, first)
        labels = labels.transpose(1, 2)
        for first in (0, 1):
            labels = _relabel_rows(turned, labels, first)
        labels = labels.transpose(1, 2)
    return labels


def _coarser(grid: Grid) -> Grid:
    """The same energy of labellings that are constant on blocks of 2 x 2 cells."""
    unary = grid.unary[:, ::2] + grid.unary[:, 1::2]
    down, right = grid.down[:, 1::2], grid.right[:, :, 1::2]
    return Grid(
        unary[:, :, ::2] + unary[:, :, 1::2],
        down[:, :, ::2] + down[:, :, 1::2],
        right[:, ::2] + right[:, 1::2],
        grid.distance,
    )


def _exact(grid: Grid) -> Tensor:
    n, height, columns, count = grid.unary.shape
    device = grid.unary.device
    powers = count ** torch.arange(columns, device=device)
    rows = torch.arange(count**columns, device=device)[:, None] // powers % count  # (S, C)
    states = F.one_hot(rows, count).to(grid.unary.dtype).flatten(1)  # (S, C·L)
    steps = grid.distance[rows[:, 1:], rows[:, :-1]]  # (S, C-1)
    moves = grid.distance[rows[:, None], rows[None]].flatten(0, 1)  # (S·S, C)
    own = grid.unary.flatten(2) @ states.T + grid.right @ steps.T  # (N, R, S)
    between = (grid.down @ moves.T).view(n, height - 1, len(rows), len(rows))
    best, origins = own[:, 0], []
    for i in range(1, height):
        best, origin = (best[:, None] + between[:, i - 1]).min(2)
        best = best + own[:, i]
        origins.append(origin)
    chosen = [best.argmin(1)]
    for origin in reversed(origins):
        chosen.append(origin.gather(1, chosen[-1][:, None])[:, 0])
    return rows[torch.stack(chosen[::-1], 1)]


def _relabel_rows(grid: Grid, labels: Tensor, first: int) -> Tensor:
    """Solve every second row exactly, given the rows between; each row is a chain (Viterbi)."""
    near = grid.distance[labels]  # (N, R, C, L): what each label would pay beside this cell
    cost = grid.unary.clone()
    cost[:, 1:] += grid.down[..., None] * near[:, :-1]
    cost[:, :-1] += grid.down[..., None] * near[:, 1:]
    cost, weight = cost[:, first::2], grid.right[:, first::2, :, None, None]
    best, origins = cost[:, :, 0], []
    for j in range(1, cost.shape[2]):
        step = best[:, :, None] + weight[:, :, j - 1] * grid.distance
        best, origin = step.min(3)
        best = best + cost[:, :, j]
        origins.append(origin)
    chosen = [best.argmin(2)]
    for origin in reversed(origins):
        chosen.append(origin.gather(2, chosen[-1][..., None])[..., 0])
    labels = labels.clone()
    labels[:, first::2] = torch.stack(chosen[::-1], 2)
    return labels
