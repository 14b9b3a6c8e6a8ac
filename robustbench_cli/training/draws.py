"""Random shares for methods that mix; drawn on the host, so that no device has to wait."""

from __future__ import annotations

import random

import torch
from torch import Tensor


def share(alpha: float) -> float:
    """λ ~ Beta(alpha, alpha); 1, which mixes nothing, for alpha = 0."""
    return random.betavariate(alpha, alpha) if alpha > 0 else 1.0


def shares(alpha: float, n: int, like: Tensor) -> Tensor:
    """(n,) independent shares, on the device and of the type of `like`."""
    drawn = torch.tensor([share(alpha) for _ in range(n)], dtype=like.dtype)
    return drawn.to(like.device, non_blocking=True)
