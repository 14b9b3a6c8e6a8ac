"""Gradients at the input of a network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def loss_gradient(network: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """Of each image's cross entropy by its pixels; x and the answer are (N, C, H, W).

    `target`: labels (N,), or shares of the classes (N, classes).
    """
    with torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
        images = x.detach().clone().requires_grad_()
        loss = F.cross_entropy(network(images), target, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
    return gradient.detach()


def directional(network: nn.Module, x: Tensor, along: Tensor, weights: Tensor) -> Tensor:
    """(N,): the slope of ``weights · logits`` in the direction `along` (N, C, H, W) at `x`."""
    with torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad((network(images) * weights).sum(), images)
    return (gradient.detach().double() * along.double()).flatten(1).sum(1)
