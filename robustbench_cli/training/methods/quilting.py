"""At test time: rebuild each image from small patches of training images.

Guo et al., "Countering Adversarial Images using Input Transformations", ICLR 2018, arXiv
1711.00117; Efros & Freeman, "Image Quilting", SIGGRAPH 2001. Each patch of the image, on a grid on
which neighbours overlap, gives way to one of its `nearest` patches in a pool, drawn at random; in
the overlap the one ends and the other begins along the path on which they differ least. The
authors: a million patches of 5x5 pixels; their code: the nearest one, found approximately.
Where we differ: the pool is smaller and the search exact. Paths are found by dynamic programming,
between the patches of each row and then between the rows; the paper cuts around one patch after the
other by graph cuts. (Their code ties no part of the overlap to the older patch, so that the newer
one wins all of it.) They leave the last rows and columns black; here the border is repeated.
The choice has no gradient. Gradients pass through as if nothing had been done (BPDA with the
identity, as Athalye et al. 2018 broke it); `gradient=none` hides them.
Cost per prediction: `draws` forwards, and for each every patch is compared with the whole pool. The
same answer each time unless `nearest` is above 1. Training is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.data.dataset import Images, scale
from robustbench_cli.errors import UsageError
from robustbench_cli.spec import param
from robustbench_cli.training.defences.averaging import Averaged
from robustbench_cli.training.defences.surrogate import Gradient, replace_value

AT_ONCE = 2**20  # distances: few enough for a processor's cache
_TOGETHER = 256  # images that patches are cut from


@dataclass(kw_only=True)
class Quilting(Averaged):
    """Rebuilds before everything that stands to its right."""

    patch: int = param(5, "side of a patch, in pixels", low=2)
    overlap: int = param(2, "pixels that neighbours share, at most half of a patch", low=1)
    nearest: int = param(1, "K, patches of the pool that one is drawn from", low=1)
    pool: int = param(10_000, "patches kept of the training images", low=1)
    seed: int = param(0, "which patches the pool keeps", low=0)
    draws: int = param(1, "random choices of patches that a prediction averages", low=1)
    gradient: Gradient = param("straight-through", "what an attack sees of the quilting")
    _patches: Tensor | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if 2 * self.overlap > self.patch:
            raise UsageError(
                f"quilting: overlap={self.overlap} is more than half of patch={self.patch}; "
                f"type overlap={self.patch // 2} or less"
            )

    def prepare(self, train: Images) -> None:
        _, height, width = train.shape
        if self.patch > min(height, width):
            raise UsageError(
                f"quilting: a patch of {self.patch}x{self.patch} pixels does not fit into an image "
                f"of {height}x{width}; type a smaller patch="
            )
        room = height - self.patch + 1, width - self.patch + 1
        # drawn on the CPU, so that the choice does not depend on the device
        generator, device = torch.Generator().manual_seed(self.seed), train.device
        sample, top, left = (
            torch.randint(n, (self.pool, 1, 1), generator=generator) for n in (len(train), *room)
        )
        side, row = torch.arange(self.patch, device=device), torch.arange(_TOGETHER, device=device)
        chosen = sample[:, 0, 0].to(train.home)
        parts = (torch.split(each, _TOGETHER) for each in (chosen, top.to(device), left.to(device)))
        where, tops, lefts = parts
        cut = [
            part.pixels[row[: len(part), None, None], :, y + side[:, None], x + side]
            for part, y, x in zip(train.each(where), tops, lefts, strict=True)
        ]  # (n, patch, patch, C) each
        self._patches = scale(torch.cat(cut).permute(0, 3, 1, 2))

    def vary(self, x: Tensor) -> Tensor:
        if self._patches is None:
            raise UsageError("quilting needs training images: call prepare(images) first")
        # patches differ by little
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            quilted = self._quilt(x.detach(), self._patches)
        return replace_value(x, quilted, self.gradient)

    def _quilt(self, x: Tensor, pool: Tensor) -> Tensor:
        n, _, height, width = x.shape
        step = self.patch - self.overlap
        right, below = -(width - self.patch) % step, -(height - self.patch) % step
        x = F.pad(x, (0, right, 0, below), mode="replicate")
        places = x.unfold(2, self.patch, step).unfold(3, self.patch, step)
        places = places.permute(0, 2, 3, 1, 4, 5)  # (N, rows, columns, C, patch, patch)
        chosen = pool[self._choose(places.reshape(-1, pool[0].numel()), pool.flatten(1))]
        rows = join(chosen.view(places.shape).flatten(0, 1), self.overlap)  # (N·rows, C, patch, W)
        whole = join(rows.mT.reshape(n, -1, *rows.mT.shape[1:]), self.overlap).mT
        return whole[..., :height, :width]

    def _choose(self, patches: Tensor, pool: Tensor) -> Tensor:
        """For each of patches (N, D), which of the nearest of pool (M, D) takes its place; (N,)."""
        near, chosen = min(self.nearest, len(pool)), []
        # |a - b|² less |a|², in one product
        pool = torch.cat([pool, pool.square().sum(1, keepdim=True)], 1).T
        patches, rows = F.pad(-2 * patches, (0, 1), value=1.0), max(64, AT_ONCE // pool.shape[1])
        for part in torch.split(patches, rows):
            found = (part @ pool).topk(near, largest=False).indices
            drawn = torch.randint(near, (len(part), 1), device=found.device)
            chosen.append(found.gather(1, drawn)[:, 0])
        return torch.cat(chosen)


def join(pieces: Tensor, overlap: int) -> Tensor:
    """One picture (N, C, L, W) of pieces (N, M, C, L, P) side by side, cut where they differ least.

    The last `overlap` columns of each piece are the first ones of the next.
    """
    older, newer = pieces[:, :-1, ..., -overlap:], pieces[:, 1:, ..., :overlap]
    path = cheapest_path((older - newer).square().sum(2))
    columns = torch.arange(overlap, device=pieces.device)
    seams = torch.where((columns < path[..., None])[:, :, None], older, newer)
    heads = torch.cat([pieces[:, :1, ..., :overlap], seams], 1)
    body = torch.cat([heads, pieces[..., overlap:-overlap]], 4).permute(0, 2, 3, 1, 4).flatten(3)
    return torch.cat([body, pieces[:, -1, ..., -overlap:]], 3)


def cheapest_path(cost: Tensor) -> Tensor:
    """(..., L): a column in each row of cost (..., L, W), at most one from that of the row before.

    The path of the least sum, by dynamic programming from the first row to the last.
    """
    columns, sums = torch.arange(cost.shape[-1], device=cost.device), [cost[..., 0, :]]
    for row in cost.unbind(-2)[1:]:
        around = F.pad(sums[-1], (1, 1), value=torch.inf).unfold(-1, 3, 1)
        sums.append(row + around.amin(-1))
    path = [sums[-1].argmin(-1)]
    for row in reversed(sums[:-1]):
        far = (columns - path[-1][..., None]).abs() > 1
        path.append(row.masked_fill(far, torch.inf).argmin(-1))
    return torch.stack(path[::-1], -1)
