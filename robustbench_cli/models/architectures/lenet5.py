"""LeNet-5 with ReLU, max-pools and 3x3 convolutions; 81,194 parameters.

LeCun et al., Proc. IEEE 1998, in today's form: conv 6, pool, conv 16, pool, 120, 84, classes. Made
for 32x32; like LeCun's, it sees smaller images with a border of zeros around them, so that 28x28
gives the same 81,194 parameters. Larger images enlarge the first linear layer. A side below 8
pixels is refused. The zeros are added after the normalisation: the border has the mean colour.
`dense` takes away the layer of 84, or puts more of them in a row, as in comparisons of capacity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from robustbench_cli.models.blocks import at_least, sequence
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class LeNet5(Architecture):
    dense: int = param(2, "hidden fully connected layers: 120 units, then 84 each", low=1, high=10)

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
            **self._dense(features, classes),
        )

    def joints(self, network: nn.Module) -> tuple[Sequence[str], str]:
        return ("conv2", "fc1"), f"fc{self.dense + 1}"

    def _dense(self, features: int, classes: int) -> dict[str, nn.Module]:
        layers: dict[str, nn.Module] = {}
        for i in range(1, self.dense + 1):
            units = 120 if i == 1 else 84
            layers |= {f"fc{i}": nn.Linear(features, units), f"relu{i + 2}": nn.ReLU()}
            features = units
        return {**layers, f"fc{self.dense + 1}": nn.Linear(features, classes)}


def _left(side: int) -> int:
    """Pixels of a side that are left after the two convolutions and pools."""
    return ((side - 2) // 2 - 2) // 2
