"""Mix whole groups of images jointly, for salient mixtures that differ from each other.

Kim, Choo, Jeong & Song, "Co-Mixup", ICLR 2021, arXiv 2102.03065. A part of m images becomes m
mixtures: in each block of a 4 x 4 grid a mixture o shows one image, or halves of two, z[o, i, k].
Minimised are -Σ z·(saliency share), β/2 Σ_neighbours ‖z_k - z_l‖², a price γ on images that the
other mixtures show too (through A = (1-ω)I + ω·distances of the most salient places, once it
exceeds a share τ of the blocks), and -η log of a Dirichlet(α) draw; the last three divided by the
number of blocks. Labels are shares of the area. Beside the mixtures, `clean` weighs the loss on the
images themselves, on which the authors' large α depends.
Where we differ: mixtures are solved on the device by coordinate descent, with no fixed bound on the
gap (the authors: αβ-swap graph cuts on the CPU, also local); the saliency is taken in eval mode in
a pass of its own, where the authors share it with the clean loss in train mode; parts are of equal
size. The authors: binary cross entropy (--loss bce) for the mixtures, 2/C·CE for the clean images.
Cost per step: 3 forwards, 2 backwards, 1 backward towards the image only (one of each less without
`clean`), and a solver of 4m sequential stages.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Method, Step
from robustbench_cli.training.mixing.joint_masks import Blocks, joint_masks
from robustbench_cli.training.mixing.saliency import input_gradient, pooled, saliency
from robustbench_cli.training.mixing.tiles import grid_sides, join, split


@dataclass(kw_only=True)
class CoMixup(Method):
    """Mixes the batch before everything that stands to its right."""

    resamples: ClassVar[bool] = True
    part: int = param(20, "m, images that are mixed jointly, at most", low=2)
    grid: int = param(4, "side of the grid, at most", low=1, high=16)
    alpha: float = param(2.0, "parameter of the Dirichlet prior", low=0.01)
    beta: float = param(0.32, "weight of smooth masks", low=0)
    gamma: float = param(1.0, "weight of diverse mixtures", low=0)
    eta: float = param(0.05, "weight of the prior", low=0)
    tau: float = param(0.83, "share of the blocks from which on an image is too common", low=0)
    omega: float = param(0.001, "weight of compatibility", low=0, high=1)
    iterations: int = param(4, "rounds over the mixtures", low=1)
    clean: float = param(1.0, "weight of the loss on the images themselves", low=0)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        size = saliency(input_gradient(model, batch.x, batch.y))
        with torch.autocast(size.device.type, enabled=False):  # energies differ by little
            mixtures = self.mixed(batch, size)
        mixed = rest(model, mixtures)
        if not self.clean:
            return mixed
        natural = rest(model, batch)
        return mixed._replace(loss=mixed.loss + self.clean * natural.loss)

    def mixed(self, batch: Batch, size: Tensor) -> Batch:
        """As many mixtures as there are images; `size` (N, H, W) is each image's saliency."""
        n, _, height, width = batch.x.shape
        side = grid_sides(height, width, self.grid)[-1]
        parts = -(-n // self.part)
        m = -(-n // parts)

        def grouped(t: Tensor) -> Tensor:  # (N, ...) -> (parts, m, ...), filled up with zeros
            filled = torch.cat([t, t.new_zeros(parts * m - n, *t.shape[1:])])
            return filled.view(parts, m, *t.shape[1:])

        z = self.masks(grouped(pooled(size, side, side).flatten(1)), grouped(_places(size)), n)
        tiles = grouped(split(batch.x, side, side))  # (parts, m, C, K, pixels)
        x = torch.einsum("poik,pickt->pockt", z, tiles).flatten(0, 1)[:n]
        y = torch.einsum("poi,pic->poc", z.mean(3), grouped(batch.y)).flatten(0, 1)[:n]
        return Batch(join(x, side, side, height, width), y)

    def masks(self, salient: Tensor, places: Tensor, n: int) -> Tensor:
        """z (P, M mixtures, M images, K) from saliency shares (P, M, K) and places (P, M, 2)."""
        parts, m, size = salient.shape
        device = salient.device
        real = (torch.arange(parts * m, device=device) < n).view(parts, m).to(salient.dtype)
        cost = self.eta / size * self._surprise(parts, m).to(device, non_blocking=True) - salient
        cost = torch.where(real[..., None] > 0, cost, 1e4)  # what fills up is never shown
        far = (places[:, :, None] - places[:, None]).abs().sum(3)
        far = far * real[:, :, None] * real[:, None]
        far = m * far / far.sum((1, 2), keepdim=True).clamp(min=1e-12)
        side = round(size**0.5)
        return joint_masks(
            cost,
            torch.lerp(torch.eye(m, device=device), far, self.omega),
            real,
            Blocks.grid(side, side, device),
            beta=self.beta / size,
            gamma=self.gamma / size,
            tau=self.tau * size,
            iterations=self.iterations,
        )

    def _surprise(self, parts: int, m: int) -> Tensor:
        """(parts, m, 1): -log of a Dirichlet draw for each part."""
        drawn = [[random.gammavariate(self.alpha, 1) for _ in range(m)] for _ in range(parts)]
        weights = torch.tensor(drawn)[..., None]
        return -(weights / weights.sum(1, keepdim=True) + 1e-8).log()


def _places(size: Tensor) -> Tensor:
    """(N, 2): row and column of the most salient window, a quarter of the image (N, H, W) wide."""
    window = [max(side // 4, 1) for side in size.shape[1:]]
    smooth = F.avg_pool2d(size[:, None], window, stride=1)[:, 0]
    place = smooth.flatten(1).argmax(1)
    columns = smooth.shape[2]
    return torch.stack([place // columns, place % columns], 1).to(size.dtype)
