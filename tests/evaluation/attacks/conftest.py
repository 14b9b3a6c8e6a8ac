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
    rounding: Tensor  # (n, 4), how far float32 may move a lead, whatever the order of its sums

    def distance(self, dual: float) -> Tensor:
        """(n,), to the nearest other class, in the norm that `dual` is the dual of."""
        return (self.leads / self.apart.norm(p=dual, dim=2)).amin(1)

    def resolved(self, dual: float) -> Tensor:
        """(n,), the least distance at which float32 may see another class."""
        return ((self.leads - self.rounding) / self.apart.norm(p=dual, dim=2)).amin(1)


def _gamma(operations: int) -> float:
    """Relative error of so many roundings in a row (Higham 2002, Lemma 3.1)."""
    unit = torch.finfo(torch.float32).eps / 2
    return operations * unit / (1 - operations * unit)


@pytest.fixture(scope="session")
def planes() -> Planes:
    torch.manual_seed(3)
    w, x = torch.randn(4, 16), 0.5 + 0.08 * torch.randn(60, 16).clamp(-3, 3)
    layer = nn.Linear(16, 4)
    layer.weight, layer.bias = nn.Parameter(w), nn.Parameter(-w @ torch.full((16,), 0.5))
    bias = layer.bias.detach().double()
    logits = x.double() @ w.double().T + bias  # of the network's own float32 parameters
    labels = logits.argmax(1)
    apart = w.double()[labels][:, None] - w.double()
    leads = logits.gather(1, labels[:, None]) - logits
    leads.scatter_(1, labels[:, None], torch.inf)
    # two logits of 16 products and a bias each, at pixels of at most 1
    wrong = _gamma(17) * (w.double().abs().sum(1) + bias.abs())
    rounding = wrong[labels][:, None] + wrong
    images = Images(x.reshape(60, 1, 4, 4), labels)
    return Planes(nn.Sequential(nn.Flatten(), layer), images, leads, apart, rounding)
