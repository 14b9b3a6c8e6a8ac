"""The residual networks of the verifier alpha-beta-CROWN: biases all over, and no norms.

``resnet2b`` and ``resnet4b`` for CIFAR-10, also in the verification competitions since 2021.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from .blocks import sequence


class Block(nn.Module):
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


def residual(
    shape: tuple[int, int, int], classes: int, stem: int, widths: Sequence[int]
) -> nn.Sequential:
    """A 3x3 convolution to `stem` channels, two blocks of each width, 100 and classes.

    The convolution and the first block of each width have stride 2. The first linear layer follows
    the image's size.
    """
    channels, height, width = shape
    layers: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(channels, stem, 3, stride=2, padding=1),
        "relu1": nn.ReLU(),
    }
    inputs = stem
    for i, outputs in enumerate(widths, 1):
        layers[f"layer{i}"] = nn.Sequential(Block(inputs, outputs, 2), Block(outputs, outputs, 1))
        inputs = outputs
    shrunk = 2 ** (1 + len(widths))
    left = -(-height // shrunk) * -(-width // shrunk)
    return sequence(
        **layers,  # made first: a seed stands for the order in which weights are drawn
        flatten=nn.Flatten(),
        linear1=nn.Linear(inputs * left, 100),
        relu2=nn.ReLU(),
        linear2=nn.Linear(100, classes),
    )
