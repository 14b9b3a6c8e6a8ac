"""Layers that methods put into a network."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustbench_cli.training.batch import Forward, current_forward

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
        out = self.encode(h).float()
        mean, forward = out.chunk(2, 1)[0], current_forward()
        if not (self.training or forward):
            return self.decode(mean)  # type: ignore[no-any-return]
        noise = torch.randn_like(mean) if self.training else torch.zeros_like(mean)
        code, charge, std = _Code.apply(out, noise)
        if forward:
            forward.penalties.append(self.beta * charge)
            code = self.train_code(forward, mean.detach(), std, code)
        return self.decode(code)  # type: ignore[no-any-return]

    def train_code(self, forward: Forward, mean: Tensor, std: Tensor, code: Tensor) -> Tensor:
        """What the classifier is trained on in place of `code`; a subclass may mix it."""
        return code


class _Code(torch.autograd.Function):
    """Encoder's output (N, 2K), noise (N, K) -> code (N, K), its divergence, and σ (N, K).

    The divergence is the KL of N(μ, σ²) from N(0, 1), summed over the code, averaged over the
    batch; the logarithm of σ is ρ - 5 itself where float32 would underflow. The gradient is written
    out, in a third of the operations that autograd would record.
    """

    @staticmethod
    def forward(ctx: Any, out: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, raw, std = _moments(out)
        log_std = torch.where(raw < UNDERFLOW, raw, std.log())
        squares = mean.norm().square() + std.norm().square()
        charge = (squares - 2 * log_std.sum() - mean.numel()) / (2 * len(out))
        ctx.save_for_backward(out, noise)
        ctx.std = std
        ctx.mark_non_differentiable(std)
        return torch.addcmul(mean, std, noise), charge, std

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, None]:
        (out, noise), (to_code, to_charge) = ctx.saved_tensors, grads[:2]
        twice = torch.is_grad_enabled()  # to be differentiated again
        mean, std = out.chunk(2, 1)[0], _moments(out)[2] if twice else ctx.std
        share = to_charge / len(out)
        to_std = torch.addcmul(share * std, to_code, noise) - share / std
        # σ's slope in ρ is 1 - exp(-σ)
        return torch.cat([torch.addcmul(to_code, share, mean), -to_std * (-std).expm1()], 1), None


def _moments(out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """μ, ρ - 5, and σ, which is kept above zero."""
    mean, raw = out.chunk(2, 1)
    raw = raw - 5
    return mean, raw, F.softplus(raw).clamp(min=1e-30)
