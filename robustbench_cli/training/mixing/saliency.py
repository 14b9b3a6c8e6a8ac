"""Where a network looks: the gradient of its loss with respect to the pixels, and its size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.training.hooks import eval_mode


def input_gradient(model: Model, x: Tensor, y: Tensor) -> Tensor:
    """(N, C, H, W): each image's gradient of the cross entropy with its soft label in y.

    In eval mode; leaves the model's gradients and buffers alone. Costs one forward and one
    backward towards the image only.
    """
    x = x.detach().requires_grad_()
    with eval_mode(model), torch.enable_grad():
        # summed: a mean would divide every image's gradient by the size of the batch
        loss = F.cross_entropy(model(x).float(), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, x)
    return gradient.float()


def saliency(gradient: Tensor) -> Tensor:
    """(N, H, W): root mean square over the channels of a gradient (N, C, H, W)."""
    return gradient.square().mean(1).sqrt()


def pooled(size: Tensor, rows: int, columns: int) -> Tensor:
    """(N, rows, columns): shares of `size` (N, H, W) that fall into each block; they sum to 1.

    Sides must be multiples of the grid's. Where a network is entirely flat the shares are equal.
    """
    height, width = size.shape[1:]
    blocks = F.avg_pool2d(size[:, None], (height // rows, width // columns))[:, 0]
    blocks = blocks / blocks.amax((1, 2), keepdim=True).clamp(min=1e-30) + 1e-12
    return blocks / blocks.sum((1, 2), keepdim=True)
