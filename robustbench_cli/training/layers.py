"""Layers that methods put into a network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .batch import Forward, current_forward


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
        std = F.softplus(raw - 5)
        code = mean + std * torch.randn_like(std) if self.training else mean
        if forward := current_forward():
            forward.penalties.append(self.beta * divergence(mean, std, raw - 5))
            code = self.train_code(forward, mean, std, code)
        return self.decode(code)  # type: ignore[no-any-return]

    def train_code(self, forward: Forward, mean: Tensor, std: Tensor, code: Tensor) -> Tensor:
        """What the classifier is trained on in place of `code`; a subclass may mix it."""
        return code


def divergence(mean: Tensor, std: Tensor, raw: Tensor) -> Tensor:
    """KL of N(mean, std²) from N(0, 1): summed over the code, averaged over the batch.

    `std` is softplus(`raw`), whose logarithm is `raw` itself where float32 would underflow.
    """
    log_std = torch.where(raw < -15, raw, std.clamp(min=1e-30).log())
    return (mean**2 + std**2 - 2 * log_std - 1).sum(1).mean() / 2
