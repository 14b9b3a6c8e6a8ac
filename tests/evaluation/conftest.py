"""Networks and images that are small, and whose right answers are known."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import Eps, eps_range

with warnings.catch_warnings():  # Foolbox imports a name that SciPy has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    import foolbox  # noqa: F401


@dataclass(frozen=True)
class Linear:
    """Two classes divided by a plane, so that the distance of each image to the other is known.

    The pixels stay away from 0 and 1, so that clipping never matters.
    """

    model: nn.Module
    images: Images
    linf: Tensor  # (n,), |w·(x - 0.5)| / ||w||_1
    l2: Tensor  # (n,), |w·(x - 0.5)| / ||w||_2
    epsilons: tuple[Eps, ...] = eps_range("0:0.1:0.005")

    @property
    def right(self) -> Tensor:
        return self.model(self.images.x).argmax(1) == self.images.labels


@pytest.fixture(scope="session")
def linear() -> Linear:
    torch.manual_seed(0)
    n, w = 200, torch.randn(16)
    direction = w.sign() * torch.rand(16)
    x = 0.5 + 0.1 * (2 * torch.rand(n, 1) - 1) * direction + 0.05 * torch.randn(n, 16)
    x = x.clamp(0.2, 0.8)
    layer = nn.Linear(16, 2)
    layer.weight = nn.Parameter(torch.stack([-w, w]))
    layer.bias = nn.Parameter(torch.stack([w.sum(), -w.sum()]) / 2)
    lead = (x.double() - 0.5) @ w.double()
    labels = (lead > 0).long()
    labels[:10] = 1 - labels[:10]  # misclassified without any perturbation
    images = Images(x.reshape(n, 1, 4, 4), labels)
    norms = w.double().abs().sum(), w.double().norm()
    return Linear(nn.Sequential(nn.Flatten(), layer), images, *(lead.abs() / s for s in norms))


@pytest.fixture
def cnn() -> nn.Module:
    """Untrained, four classes, in training mode, with batch norm."""
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(54, 4),
    )
    net(torch.rand(64, 1, 8, 8))  # running statistics that are not the initial ones
    head = net[-1]
    head.bias.data -= net.eval()(torch.rand(64, 1, 8, 8)).mean(0).detach()  # all classes occur
    return net.train()


@pytest.fixture
def images(cnn: nn.Module) -> Images:
    """Noise, labelled as `cnn` classifies it, except for the first five."""
    torch.manual_seed(2)
    pixels = torch.randint(0, 256, (60, 1, 8, 8), dtype=torch.uint8)
    cnn.eval()
    labels = cnn(pixels.float() / 255).argmax(1)
    cnn.train()
    labels[:5] = (labels[:5] + 1) % 4
    return Images(pixels, labels)
