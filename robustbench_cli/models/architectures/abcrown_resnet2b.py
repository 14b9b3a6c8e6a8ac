"""The small residual network without norms of the verifier alpha-beta-CROWN; 112,006 parameters.

Its ``resnet2b`` for CIFAR-10, also in the verification competitions since 2021: a 3x3 convolution
with stride 2 to 8 channels, two residual blocks of 16 channels (the first with stride 2), 100 and
classes. The first linear layer follows the image's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from robustbench_cli.models.blocks import sequence
from robustbench_cli.models.model import Architecture


class _Block(nn.Module):
    """Two 3x3 convolutions with biases around a shortcut, and no norms."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride))
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(self.relu1(self.conv1(x)))
        return self.relu2(h + self.shortcut(x))  # type: ignore[no-any-return]


@dataclass(kw_only=True)
class AbcrownResNet2b(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("layer1.0", "layer1.1", "linear1")
    head: ClassVar[str] = "linear2"

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        channels, height, width = shape
        left = -(-height // 4) * -(-width // 4)
        return sequence(
            conv1=nn.Conv2d(channels, 8, 3, stride=2, padding=1),
            relu1=nn.ReLU(),
            layer1=nn.Sequential(_Block(8, 16, 2), _Block(16, 16, 1)),
            flatten=nn.Flatten(),
            linear1=nn.Linear(16 * left, 100),
            relu2=nn.ReLU(),
            linear2=nn.Linear(100, classes),
        )
