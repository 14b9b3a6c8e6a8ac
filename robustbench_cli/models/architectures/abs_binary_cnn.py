"""A convolutional network on thresholded MNIST images, a baseline of Analysis by Synthesis.

Schott et al., ICLR 2019, arXiv 1805.09190 ("binary CNN"): pixels above 0.5 become 1, the others 0;
then conv 20 5x5, conv 70 4x4 and conv 256 3x3 with norms and ELU, and one layer over all that is
left; 249,228 parameters. The threshold's gradient is exactly zero: gradient attacks find nothing
and prove nothing, gradient-free ones break it. It stands inside the network, so leave the pixels
unnormalised. A side below 14 pixels is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from robustbench_cli.models.blocks import at_least, sequence
from robustbench_cli.models.model import Architecture


class Threshold(nn.Module):
    """1 where x > 0.5, else 0; differentiable in name, so that gradient attacks run: it is 0."""

    def forward(self, x: Tensor) -> Tensor:
        return (x - 0.5).sign().clamp(min=0)


@dataclass(kw_only=True)
class AbsBinaryCNN(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("conv_1", "conv_2", "conv_3")
    head: ClassVar[str] = "conv_3"

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        at_least(14, shape, self.name)
        channels, height, width = shape
        return sequence(
            threshold=Threshold(),
            conv_0=nn.Conv2d(channels, 20, 5),
            bn_0=nn.BatchNorm2d(20),
            elu_0=nn.ELU(),
            conv_1=nn.Conv2d(20, 70, 4, stride=2),
            bn_1=nn.BatchNorm2d(70),
            elu_1=nn.ELU(),
            conv_2=nn.Conv2d(70, 256, 3, stride=2),
            bn_2=nn.BatchNorm2d(256),
            elu_2=nn.ELU(),
            flatten=nn.Flatten(),
            # the authors' 5x5 convolution over a 5x5 map, as the linear layer that it is
            conv_3=nn.Linear(256 * _left(height) * _left(width), classes),
        )


def _left(side: int) -> int:
    """Pixels of a side that are left after the three convolutions."""
    return ((side - 8) // 2 - 2) // 2 + 1
