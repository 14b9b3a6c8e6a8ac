"""LeNet-5 with ReLU, max-pools and 3x3 convolutions; 81,194 parameters.

LeCun et al., Proc. IEEE 1998, in today's form: conv 6, pool, conv 16, pool, 120, 84, classes. Made
for 32x32; like LeCun's, it sees smaller images with a border of zeros around them, so that 28x28
gives the same 81,194 parameters. Larger images enlarge the first linear layer. A side below 8
pixels is refused. The zeros are added after the normalisation: the border has the mean colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_cli.models.blocks import at_least, sequence
from robustbench_cli.models.model import Architecture


@dataclass(kw_only=True)
class LeNet5(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("conv2", "fc1")
    head: ClassVar[str] = "fc3"

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        at_least(8, shape, self.name)
        channels, height, width = shape
        rows, columns = max(0, 32 - height), max(0, 32 - width)
        border = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        features = 16 * _left(height + rows) * _left(width + columns)
        return sequence(
            pad=nn.ZeroPad2d(border),
            conv1=nn.Conv2d(channels, 6, 3),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(6, 16, 3),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(features, 120),
            relu3=nn.ReLU(),
            fc2=nn.Linear(120, 84),
            relu4=nn.ReLU(),
            fc3=nn.Linear(84, classes),
        )


def _left(side: int) -> int:
    """Pixels of a side that are left after the two convolutions and pools."""
    return ((side - 2) // 2 - 2) // 2
