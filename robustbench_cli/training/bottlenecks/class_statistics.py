"""Running means and variances of codes by class, in three readings of how batches are merged.

Each is fed batch by batch and gives (classes, K) means and variances; nothing waits for a device.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Merge = Literal["moments", "span", "concat"]
LEAST = 1e-6  # a variance is never smaller


class Moments(nn.Module):
    """Those of all samples so far, each weighing the same: a mixture's mean and total variance.

    m = (N₁m₁ + N₂m₂) / N and v = Σ Nᵢ(vᵢ + mᵢ²) / N - m², with a batch's v the variance of μ plus
    the mean of σ².
    """

    sums: Tensor  # (classes, K), of μ
    squares: Tensor  # (classes, K), of μ² + σ²
    counts: Tensor  # (classes, 1)

    def __init__(self, classes: int, size: int) -> None:
        super().__init__()
        self.register_buffer("sums", torch.zeros(classes, size))
        self.register_buffer("squares", torch.zeros(classes, size))
        self.register_buffer("counts", torch.zeros(classes, 1))

    def add(self, y: Tensor, mean: Tensor, std: Tensor) -> None:
        """y (N, classes), rows sum to 1; mean μ and std σ of the codes (N, K)."""
        self.counts += y.sum(0)[:, None]
        self.sums += y.T @ mean
        self.squares += y.T @ (mean**2 + std**2)

    def result(self) -> tuple[Tensor, Tensor]:
        n = self.counts.clamp(min=1e-12)
        means = self.sums / n
        return means, (self.squares / n - means**2).clamp(min=LEAST)

    @property
    def known(self) -> Tensor:
        """(classes,): 1 for each class of which anything was added, else 0."""
        return (self.counts[:, 0] > 0).float()

    def reset(self) -> None:
        for buffer in self.buffers():
            buffer.zero_()


class Span(Moments):
    """The mean of the batches' means, with a variance that spans the widest gap between batches.

    The standard deviation is half of the way from the lowest mᵢ - √vᵢ to the highest mᵢ + √vᵢ.
    `counts` are batches that hold the class.
    """

    low: Tensor  # (classes, K)
    high: Tensor  # (classes, K)

    def __init__(self, classes: int, size: int) -> None:
        super().__init__(classes, size)
        self.register_buffer("low", torch.full((classes, size), torch.inf))
        self.register_buffer("high", torch.full((classes, size), -torch.inf))

    def add(self, y: Tensor, mean: Tensor, std: Tensor) -> None:
        means, variances, present = of_batch(y, mean, std)
        self.counts += present
        self.sums += means * present
        spread = variances.sqrt()
        here = present > 0
        self.low.copy_(torch.where(here, torch.minimum(self.low, means - spread), self.low))
        self.high.copy_(torch.where(here, torch.maximum(self.high, means + spread), self.high))

    def result(self) -> tuple[Tensor, Tensor]:
        half = (self.high - self.low).nan_to_num(posinf=0.0, neginf=0.0) / 2
        return self.sums / self.counts.clamp(min=1), (half**2).clamp(min=LEAST)

    def reset(self) -> None:
        super().reset()
        self.low.fill_(torch.inf)
        self.high.fill_(-torch.inf)


class Concat(Moments):
    """The class's old mean, set beside the batch's codes as one more sample: nearly memoryless.

    `sums` and `squares` hold the latest mean and its μ² + σ² about 0; `counts` are 0 or 1.
    """

    def add(self, y: Tensor, mean: Tensor, std: Tensor) -> None:
        n = y.sum(0)[:, None]
        rows = (n + self.counts).clamp(min=1e-12)
        means = (self.sums + y.T @ mean) / rows
        squares = (self.sums**2 + y.T @ (mean**2 + std**2)) / rows
        here = n > 0
        self.sums.copy_(torch.where(here, means, self.sums))
        self.squares.copy_(torch.where(here, squares, self.squares))
        self.counts.copy_(torch.maximum(self.counts, here.float()))


def of_batch(y: Tensor, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One batch's (classes, K) means and variances, and (classes, 1): 1 where it has the class."""
    n = y.sum(0)[:, None]
    count = n.clamp(min=1e-12)
    means = y.T @ mean / count
    variances = (y.T @ (mean**2 + std**2) / count - means**2).clamp(min=LEAST)
    return means, variances, (n > 0).float()


MERGES: dict[Merge, type[Moments]] = {"moments": Moments, "span": Span, "concat": Concat}
