"""Gradients through steps that have none, so that a defence does not look strong by hiding them.

Athalye, Carlini & Wagner, ICML 2018, arXiv 1802.00420 (BPDA).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

Gradient = Literal["straight-through", "none"]


def replace_value(x: Tensor, value: Tensor, gradient: str = "straight-through") -> Tensor:
    """`value`, whose gradient is taken to be that of `x`; or has none.

    Anything but ``none`` and ``straight-through`` leaves the gradient of `value` as it is.
    """
    if gradient == "straight-through":
        replaced: Tensor = _Replaced.apply(x, value)
        return replaced
    return value.detach() if gradient == "none" else value


def rounded(x: Tensor, gradient: str) -> Tensor:
    """The nearest whole numbers, with a gradient as :func:`replace_value` says."""
    return replace_value(x, x.detach().round(), gradient)


class _Replaced(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor) -> Tensor:
        return value.detach().clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None
