"""Random shares for methods that mix; drawn on the host, so that no device has to wait."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from robustbench_cli.training.batch import Batch


def share(alpha: float) -> float:
    """λ ~ Beta(alpha, alpha); 1, which mixes nothing, for alpha = 0."""
    return random.betavariate(alpha, alpha) if alpha > 0 else 1.0


def shares(alpha: float, n: int, like: Tensor) -> Tensor:
    """(n,) independent shares, on the device and of the type of `like`."""
    drawn = torch.tensor([share(alpha) for _ in range(n)], dtype=like.dtype)
    return drawn.to(like.device, non_blocking=True)


def mixed(batch: Batch, alpha: float, per_sample: bool = False) -> Batch:
    """λx + (1-λ)x[π] and the labels likewise, λ ~ Beta(alpha, alpha), π a permutation."""
    order = torch.randperm(len(batch), device=batch.x.device)
    keep = shares(alpha, len(batch) if per_sample else 1, batch.x)
    return Batch(
        torch.lerp(batch.x[order], batch.x, keep[:, None, None, None]),
        torch.lerp(batch.y[order], batch.y, keep[:, None]),
    )
