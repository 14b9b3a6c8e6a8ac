"""Layers that methods put into a network."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .batch import Forward, current_forward

UNDERFLOW = -15.0
"""Below this, log softplus(x) = x to the last digit of float32."""


class Bottleneck(nn.Module):
    """A variational bottleneck before the classifier (Alemi et al., ICLR 2017).

    h (N, features) -> mean μ and scale σ = softplus(ρ - 5), both (N, K) -> code u = μ + σ·noise
    when training, μ in eval mode -> logits. In a training forward it charges
    β · mean_b Σ_k ½(μ² + σ² - 2 log σ - 1), the KL divergence from N(0, 1).
    """

    def __init__(self, head: nn.Linear, size: int, beta: float) -> None:
        super().__init__()
        self.encode = nn.Linear(head.in_features, 2 * size)
        self.decode = nn.Linear(size, head.out_features)
        self.to(head.weight.device)
        self.beta = beta

    def forward(self, h: Tensor) -> Tensor:
        mean, raw = self.encode(h).float().chunk(2, 1)
        raw = raw - 5
        std = F.softplus(raw)
        code = mean + std * torch.randn_like(std) if self.training else mean
        if forward := current_forward():
            forward.penalties.append(self.beta * divergence(mean, std, raw))
            code = self.train_code(forward, mean, std, code)
        return self.decode(code)  # type: ignore[no-any-return]

    def train_code(self, forward: Forward, mean: Tensor, std: Tensor, code: Tensor) -> Tensor:
        """What the classifier is trained on in place of `code`; a subclass may mix it."""
        return code


def divergence(mean: Tensor, std: Tensor, raw: Tensor) -> Tensor:
    """KL of N(mean, std²) from N(0, 1): summed over the code, averaged over the batch.

    `std` is softplus(`raw`), whose logarithm is `raw` itself where float32 would underflow.
    """
    found: Tensor = _Divergence.apply(mean, std, raw)
    return found


class _Divergence(torch.autograd.Function):
    """With its gradient written out, in half the operations; log σ passes its own on to `raw`."""

    @staticmethod
    def forward(mean: Tensor, std: Tensor, raw: Tensor) -> Tensor:
        log_std = torch.where(raw < UNDERFLOW, raw, std.log())
        squares = mean.norm().square() + std.norm().square()
        found: Tensor = (squares - 2 * log_std.sum() - mean.numel()) / (2 * len(mean))
        return found

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor, Tensor]:
        mean, std, raw = ctx.saved_tensors
        share = grads[0] / len(mean)
        slope = torch.where(raw < UNDERFLOW, 1, raw.sigmoid() / std)  # of log σ
        return share * mean, share * std, -share * slope
