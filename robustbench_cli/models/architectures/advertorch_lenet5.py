"""The MNIST network that advertorch calls LeNet5: 3x3 convolutions, 200 units; 648,226 parameters.

Ding et al., arXiv 1902.07623; the network of the MNIST weights that come with advertorch: conv 32,
pool, conv 64, pool, 200, classes. The first linear layer follows the image's size; a side below
4 pixels is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_cli.models.blocks import at_least, sequence
from robustbench_cli.models.model import Architecture


@dataclass(kw_only=True)
class AdvertorchLeNet5(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("conv2", "linear1")
    head: ClassVar[str] = "linear2"

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        at_least(4, shape, self.name)
        channels, height, width = shape
        return sequence(
            conv1=nn.Conv2d(channels, 32, 3, padding=1),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(32, 64, 3, padding=1),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            linear1=nn.Linear(64 * (height // 4) * (width // 4), 200),
            relu3=nn.ReLU(),
            linear2=nn.Linear(200, classes),
        )
