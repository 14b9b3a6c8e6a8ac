"""The gradient that reaches an image through the first convolution, several times sooner.

Plain training never asks for it, so libraries are slow there: with one to four channels to give
back, their blocked kernels work mostly on padding. One matrix product and a sum over the kernel's
places are the same numbers (but for rounding) in a third of the time on one core, which takes a
fifth off every step of an attack on LeNet-5. Convolutions over more channels, and GPUs, keep
PyTorch's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

FEW = 4
"""Channels in, at most, for this to pay."""

ROOM = 2**20
"""Numbers that one matrix product may yield: batches are cut so that they stay in the cache."""


class QuickConv2d(nn.Conv2d):
    """``Conv2d``; where its input wants a gradient, that one sooner. Same weights, same values."""

    def forward(self, input: Tensor) -> Tensor:
        x = input
        plain = not x.requires_grad or x.device.type != "cpu" or torch.is_autocast_enabled("cpu")
        if plain or x.ndim != 4 or torch.compiler.is_compiling():
            return super().forward(x)
        return _Convolve.apply(x, self.weight, self.bias, self.stride, self.padding)  # type: ignore[no-any-return]


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
        ctx.save_for_backward(x if weight.requires_grad else None, weight)
        ctx.given = (x.shape, stride, padding)
        return F.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    def backward(
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        shape, stride, padding = ctx.given
        for_x, for_weight, for_bias, *_ = ctx.needs_input_grad
        to_x = to_weight = None
        if for_x and torch.is_grad_enabled():  # to be differentiated again
            to_x = conv2d_input(shape, weight, grad, stride, padding)  # type: ignore[no-untyped-call]
        elif for_x:
            per_image = weight[0].numel() * grad.shape[2] * grad.shape[3]
            parts = torch.split(grad, max(1, ROOM // per_image))
            found = [_transposed(part, weight, shape[2:], stride, padding) for part in parts]
            to_x = torch.cat(found)
        if for_weight:
            to_weight = conv2d_weight(x, weight.shape, grad, stride, padding)  # type: ignore[no-untyped-call]
        return to_x, to_weight, grad.sum((0, 2, 3)) if for_bias else None, None, None


def _transposed(
    grad: Tensor,
    weight: Tensor,
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Tensor:
    """(N, K, H', W') -> (N, C, H, W): what each output pixel sends to each place it has seen."""
    (outs, ins, *kernel), (n, _, height, width) = weight.shape, grad.shape
    transposed = weight.flatten(1).t()
    if grad.is_contiguous():  # the same matrix for each image: a plain @ would copy in and out
        sent = torch.bmm(transposed.expand(n, -1, -1), grad.flatten(2))
        sent = sent.view(n, ins, *kernel, height, width)
    else:  # channels last
        rows = grad.permute(0, 2, 3, 1).reshape(-1, outs)
        sent = (transposed @ rows.t()).view(ins, *kernel, n, height, width).movedim(3, 0)
    padded = [one + 2 * more for one, more in zip(size, padding, strict=True)]
    got = grad.new_zeros(n, ins, *padded)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            down = slice(i, i + stride[0] * (height - 1) + 1, stride[0])
            right = slice(j, j + stride[1] * (width - 1) + 1, stride[1])
            got[:, :, down, right] += sent[:, :, i, j]
    top, left = padding
    return got[:, :, top : top + size[0], left : left + size[1]]


def quicken_first_convolutions(network: nn.Module) -> list[nn.Module]:
    """Make each convolution over few channels a `QuickConv2d`, in place; returns them."""
    found = [module for module in network.modules() if _replaceable(module)]
    for module in found:
        module.__class__ = QuickConv2d
    return found


@contextmanager
def quick_first_convolutions(network: nn.Module) -> Iterator[None]:
    """Inside, they are quick; nothing else about `network` changes."""
    found = quicken_first_convolutions(network)
    try:
        yield
    finally:
        for module in found:
            module.__class__ = nn.Conv2d


def _replaceable(module: nn.Module) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.in_channels <= FEW
        and module.groups == 1
        and module.dilation == (1, 1)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )
