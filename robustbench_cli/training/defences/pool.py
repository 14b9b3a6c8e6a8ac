"""Training images by class, to be drawn from at test time."""

from __future__ import annotations

import torch
from torch import Tensor

from robustbench_cli.data.dataset import Images, scale


class Pool:
    """At most `each` images of every class, uint8 on the device; which ones follows from `seed`."""

    def __init__(self, train: Images, each: int, seed: int) -> None:
        labels = train.labels.cpu()
        # drawn on the CPU, so that the choice does not depend on the device
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        order = order[labels[order].argsort(stable=True)]
        self.counts = labels.bincount()
        rank = torch.arange(len(labels)) - (self.counts.cumsum(0) - self.counts)[labels[order]]
        self.counts = self.counts.clamp(max=each).to(train.labels.device)
        self.starts = self.counts.cumsum(0) - self.counts
        self.pixels = train[order[rank < each].to(train.home)].pixels

    def draw(self, classes: Tensor) -> Tensor:
        """One image of each of `classes` (N,): (N, C, H, W) in [0, 1], fresh each time."""
        places = torch.rand(len(classes), device=classes.device) * self.counts[classes]
        within = places.long().clamp(max=self.counts[classes] - 1)
        return scale(self.pixels[self.starts[classes] + within])

    def same(self, classes: Tensor) -> Tensor:
        """`classes` (N,) themselves; any class where the pool has no image of one."""
        return self._choose(self._known == classes[:, None])

    def other(self, classes: Tensor) -> Tensor:
        """Classes (N,) drawn uniformly from those that differ, one for each of `classes`."""
        return self._choose(self._known != classes[:, None])

    @property
    def _known(self) -> Tensor:
        return torch.arange(len(self.counts), device=self.counts.device)

    def _choose(self, wanted: Tensor) -> Tensor:
        """One of the wanted classes (N, classes) that the pool has; of all, where it has none."""
        filled = (self.counts > 0).expand_as(wanted)
        possible = wanted & filled
        weights = torch.where(possible.any(1, keepdim=True), possible, filled)
        return torch.multinomial(weights.float(), 1)[:, 0]
