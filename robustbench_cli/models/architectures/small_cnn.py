"""The small MNIST network of Fast adversarial training: strided convolutions; 166,406 parameters.

Wong, Rice and Kolter, ICLR 2020, arXiv 2001.03994: conv 16 and conv 32, both 4x4 with stride 2,
then 100 and classes. The modules are numbered as in the authors' file. The first linear layer
follows the image's size; a side below 4 pixels is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_cli.models.blocks import at_least
from robustbench_cli.models.model import Architecture


@dataclass(kw_only=True)
class SmallCNN(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("2", "5")
    head: ClassVar[str] = "7"

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        at_least(4, shape, self.name)
        channels, height, width = shape
        return nn.Sequential(
            nn.Conv2d(channels, 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * (height // 4) * (width // 4), 100),
            nn.ReLU(),
            nn.Linear(100, classes),
        )
