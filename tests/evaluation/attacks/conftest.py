"""A linear network of four classes: how far each image is from the nearest other class is known."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images


@dataclass(frozen=True)
class Planes:
    """Four classes, 4 x 4 images, all of them right and away from 0 and 1."""

    model: nn.Module
    images: Images
    leads: Tensor  # (n, 4), of the label over each class, inf for the label itself
    apart: Tensor  # (n, 4, 16), the differences of the weights

    def distance(self, dual: float) -> Tensor:
        """(n,), to the nearest other class, in the norm that `dual` is the dual of."""
        return (self.leads / self.apart.norm(p=dual, dim=2)).amin(1)


@pytest.fixture(scope="session")
def planes() -> Planes:
    torch.manual_seed(3)
    w, x = torch.randn(4, 16), 0.5 + 0.08 * torch.randn(60, 16).clamp(-3, 3)
    layer = nn.Linear(16, 4)
    layer.weight, layer.bias = nn.Parameter(w), nn.Parameter(-w @ torch.full((16,), 0.5))
    logits = (x - 0.5).double() @ w.double().T
    labels = logits.argmax(1)
    apart = w.double()[labels][:, None] - w.double()
    leads = logits.gather(1, labels[:, None]) - logits
    leads.scatter_(1, labels[:, None], torch.inf)
    images = Images(x.reshape(60, 1, 4, 4), labels)
    return Planes(nn.Sequential(nn.Flatten(), layer), images, leads, apart)
