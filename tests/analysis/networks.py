"""Networks whose answers are known in closed form, and images for them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images


class Linear(nn.Module):
    """logits = W x + b, of flattened images."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.float())
        self.register_buffer("bias", bias.float())

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.T + self.bias


def linear(classes: int = 3, shape: tuple[int, int, int] = (1, 4, 4), seed: int = 0) -> Linear:
    generator = torch.Generator().manual_seed(seed)
    d = shape[0] * shape[1] * shape[2]
    return Linear(torch.randn(classes, d, generator=generator), torch.zeros(classes))


def halfspaces(w: Tensor, offset: float = 0.0) -> Linear:
    """Two classes on the two sides of w · x + offset = 0; class 1 where it is positive."""
    return Linear(torch.stack([torch.zeros_like(w), w]), torch.tensor([0.0, offset]))


def images(network: nn.Module, n: int = 6, shape: tuple[int, int, int] = (1, 4, 4)) -> Images:
    """Random images, with the labels that the network gives them."""
    x = torch.rand(n, *shape, generator=torch.Generator().manual_seed(1))
    return Images(x, network(x).argmax(1))
