"""Mix pairs of images block by block, so that each shows what the network finds salient in it.

Kim, Choo & Song, "Puzzle Mix", ICML 2020, arXiv 2009.06962. Saliency is the size of d CE / d x of
the current network, in eval mode. On an n x n grid, n drawn from {2, 4, 8, 16}, a mask
z ∈ {0, ½, 1} minimises the saliency that is lost, plus β(z-z')² and γ times the jump of the pixels
between neighbours, minus η log prior(λ), λ ~ Beta(α, α). Then the tiles of both images move to
where the mask shows them, at the price ξ·distance², and the labels mix by the mask's mean.
Where we differ: sizes n are those of {2, ..., `largest`} that divide both sides (2 and 4 for
28x28); the mask is the exact optimum for n ≤ 4 and a local one, whole rows and columns at a time,
beyond (the authors: αβ-swap graph cuts, also local); tiles exchange places while that pays, where
the authors' rounds of bids can leave a place black. The authors minimise a binary cross entropy:
--loss bce. `adversarial=0.1` is their adversarial variant: with that probability, for
either image of all pairs, a one-step attack of radius `eps` scaled by U(0, 1), from the pass that
finds the saliency. α = 0 is plain training.
Cost per step: 2 forwards, 1 backward, 1 backward towards the image only, and the solver.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Method, Step
from robustbench_cli.training.mixing.draws import share
from robustbench_cli.training.mixing.grid_labels import cheapest
from robustbench_cli.training.mixing.pair_masks import pair_grid
from robustbench_cli.training.mixing.saliency import input_gradient, pooled, saliency
from robustbench_cli.training.mixing.tiles import (
    grid_sides,
    matching,
    move,
    squared_distances,
    tile_side,
)

ROUNDS = 4  # of exchanging tiles; more change next to nothing


@dataclass(kw_only=True)
class PuzzleMix(Method):
    """Mixes the batch before everything that stands to its right."""

    resamples: ClassVar[bool] = True
    alpha: float = param(1.0, "both parameters of the Beta distribution of λ", low=0)
    labels: int = param(3, "values of the mask: 2 is {0, 1}, 3 is {0, 1/2, 1}", low=2, high=4)
    largest: int = param(16, "largest side of the grid", low=2, high=64)
    beta: float = param(1.2, "weight of smooth masks", low=0)
    gamma: float = param(0.5, "weight of smooth pixels, a share of beta", low=0, high=1)
    eta: float = param(0.2, "weight of the prior", low=0)
    transport: bool = param(True, "move salient tiles to where they show")
    tile: int = param(4, "pixels of a tile's side, at least; never under 1/8 of the image", low=1)
    xi: float = param(0.8, "ξ, price of moving a tile", low=0)
    adversarial: float = param(0.0, "probability of attacking either image", low=0, high=1)
    eps: float = param(10 / 255, "radius of that attack, in pixels of [0, 1]", low=0, unit="pixels")

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        keep = share(self.alpha)
        if self.alpha == 0:
            return rest(model, batch)
        order = torch.randperm(len(batch), device=batch.x.device)
        first, second = batch.x, batch.x
        attack = [random.random() < self.adversarial for _ in range(2)]
        if any(attack):
            noise = torch.empty_like(first).uniform_(-self.eps, self.eps)
            noise = (first + noise).clamp(0, 1) - first
            gradient = input_gradient(model, first + noise, batch.y)
            attacked = first + self._grown(noise, gradient)
            first, second = (attacked.clamp(0, 1) if on else batch.x for on in attack)
        else:
            gradient = input_gradient(model, first, batch.y)
        size = saliency(gradient)
        with torch.autocast(size.device.type, enabled=False):  # energies differ by little
            mask = self.mask(batch.x, size, order, keep)
        second = second[order]
        if self.transport:
            first = self.transported(first, mask, size)
            second = self.transported(second, 1 - mask, size[order])
        weight = _enlarged(mask, *batch.x.shape[2:])[:, None]
        return rest(
            model,
            Batch(
                torch.lerp(second, first, weight),
                torch.lerp(batch.y[order], batch.y, mask.mean((1, 2))[:, None]),
            ),
        )

    def _grown(self, noise: Tensor, gradient: Tensor) -> Tensor:
        """One step up the loss, a little longer than the radius, and back into the ball."""
        noise = noise + (self.eps + 2 / 255) * gradient.sign()
        return random.random() * noise.clamp(-self.eps, self.eps)

    def mask(self, x: Tensor, size: Tensor, order: Tensor, keep: float) -> Tensor:
        """(N, n, n): the share of each block that shows image i rather than ``order[i]``."""
        height, width = x.shape[2:]
        n = random.choice(grid_sides(height, width, self.largest))
        grid = pair_grid(
            x,
            pooled(size, n, n),
            order,
            keep,
            labels=self.labels,
            beta=self.beta,
            gamma=self.gamma,
            eta=self.eta,
        )
        return cheapest(grid).to(x.dtype) / (self.labels - 1)

    def transported(self, x: Tensor, mask: Tensor, size: Tensor) -> Tensor:
        """x (N, C, H, W) with its salient tiles where `mask` (N, n, n) is above 0."""
        n, (height, width) = mask.shape[1], x.shape[2:]
        rows, columns = (
            side // tile_side(side // n, max(self.tile, side // 8)) for side in (height, width)
        )
        seen = (_enlarged(mask, rows, columns) > 0).flatten(1)
        gain = pooled(size, rows, columns).flatten(1)[:, :, None] * seen[:, None]
        cost = self.xi * squared_distances(rows, columns, x.device) - gain
        return move(x, matching(cost, ROUNDS), rows, columns)


def _enlarged(mask: Tensor, rows: int, columns: int) -> Tensor:
    """(N, rows, columns): each cell of mask (N, n, n) as a block."""
    n = mask.shape[1]
    return mask.repeat_interleave(rows // n, 1).repeat_interleave(columns // n, 2)
