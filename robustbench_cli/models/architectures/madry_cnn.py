"""The MNIST network of Madry et al.: two 5x5 convolutions and 1,024 units; 3,274,634 parameters.

Madry et al., ICLR 2018, arXiv 1706.06083 (mnist_challenge): conv 32, pool, conv 64, pool, 1024,
classes. Theirs starts from a truncated normal of deviation 0.1; ours from torch's defaults. The
first linear layer follows the image's size; a side below 4 pixels is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_cli.models.blocks import at_least, sequence
from robustbench_cli.models.model import Architecture


@dataclass(kw_only=True)
class MadryCNN(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("conv2", "fc1")
    head: ClassVar[str] = "fc2"

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        at_least(4, shape, self.name)
        channels, height, width = shape
        return sequence(
            conv1=nn.Conv2d(channels, 32, 5, padding=2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(32, 64, 5, padding=2),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(64 * (height // 4) * (width // 4), 1024),
            relu3=nn.ReLU(),
            fc2=nn.Linear(1024, classes),
        )
