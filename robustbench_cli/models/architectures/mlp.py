"""A perceptron with hidden layers of equal width, for points and for small images of any size.

``depth`` hidden layers of ``width`` units with ReLU between them. Two of 64 suit two-dimensional
points; ``mlp:width=1024`` is the encoder of the variational information bottleneck on MNIST
(Alemi et al., ICLR 2017, arXiv 1612.00410).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_cli.models.blocks import sequence
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class MLP(Architecture):
    variants: ClassVar[tuple[str, ...]] = tuple(
        f"depth={depth},width={width}"
        for depth in (1, 2, 3)
        for width in (64, 100, 128, 256, 512, 1024)
    )
    depth: int = param(2, "hidden layers", low=0, high=100)
    width: int = param(64, "units of each hidden layer", low=1)

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        layers: dict[str, nn.Module] = {"flatten": nn.Flatten()}
        inputs = math.prod(shape)
        for i in range(1, self.depth + 1):
            layers |= {f"fc{i}": nn.Linear(inputs, self.width), f"relu{i}": nn.ReLU()}
            inputs = self.width
        return sequence(**layers, head=nn.Linear(inputs, classes))

    def joints(self, network: nn.Module) -> tuple[Sequence[str], str]:
        later = [f"fc{i}" for i in range(2, self.depth + 1)]
        return [*later, "head"] if self.depth else [], "head"
