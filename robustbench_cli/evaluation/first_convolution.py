"""The gradient that reaches an image through the first convolution, several times sooner.

Training never asks for it, so libraries are slow there: with one to four channels to give back,
their blocked kernels work mostly on padding. One matrix product and a sum over the kernel's places
are the same numbers (but for rounding) in a third of the time on one core, and take a fifth off a
whole step of LeNet-5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

FEW = 4
"""Channels in, at most, for this to pay."""

ROOM = 2**21
"""Numbers that one matrix product may yield: batches are cut so that they stay in the cache."""


class QuickConv2d(nn.Module):
    """Stands for a ``Conv2d`` whose weights want no gradient. (N, C, H, W) -> (N, K, H', W')."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x: Tensor) -> Tensor:
        own = self.convolution
        plain = x.device.type != "cpu" or torch.is_autocast_enabled("cpu")
        if plain or torch.compiler.is_compiling():
            return own(x)  # type: ignore[no-any-return]
        return _Convolve.apply(x, own.weight, own.bias, own.stride, own.padding)  # type: ignore[no-any-return]


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.given = (x.shape, stride, padding)
        return F.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        (weight,) = ctx.saved_tensors
        shape, stride, padding = ctx.given
        per_image = weight[0].numel() * grad.shape[2] * grad.shape[3]
        parts = torch.split(grad, max(1, ROOM // per_image))
        found = [_transposed(part, weight, shape[2:], stride, padding) for part in parts]
        return torch.cat(found), None, None, None, None


def _transposed(
    grad: Tensor,
    weight: Tensor,
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Tensor:
    """(N, K, H', W') -> (N, C, H, W): what each output pixel sends to each place it has seen."""
    (outs, ins, *kernel), (n, _, height, width) = weight.shape, grad.shape
    rows = grad.permute(0, 2, 3, 1).reshape(-1, outs)  # no copy where channels are last
    sent = (weight.flatten(1).t() @ rows.t()).view(ins, *kernel, n, height, width)
    padded = [one + 2 * more for one, more in zip(size, padding, strict=True)]
    got = grad.new_zeros(ins, n, *padded)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            down = slice(i, i + stride[0] * (height - 1) + 1, stride[0])
            right = slice(j, j + stride[1] * (width - 1) + 1, stride[1])
            got[:, :, down, right] += sent[:, i, j]
    top, left = padding
    return got[:, :, top : top + size[0], left : left + size[1]].transpose(0, 1)


def quicken_first_convolutions(network: nn.Module) -> None:
    """Put `QuickConv2d` in the place of each convolution over few channels, in place."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if not isinstance(module, QuickConv2d) and _replaceable(child):
                setattr(module, name, QuickConv2d(child))  # type: ignore[arg-type]


def _replaceable(module: nn.Module) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.in_channels <= FEW
        and module.groups == 1
        and module.dilation == (1, 1)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )
