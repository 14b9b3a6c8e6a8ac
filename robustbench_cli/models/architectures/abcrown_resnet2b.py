"""The small residual network without norms of the verifier alpha-beta-CROWN; 112,006 parameters.

Its ``resnet2b`` for CIFAR-10, also in the verification competitions since 2021: a 3x3 convolution
with stride 2 to 8 channels, two residual blocks of 16 channels (the first with stride 2), 100 and
classes. The first linear layer follows the image's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_cli.models.abcrown import residual
from robustbench_cli.models.model import Architecture


@dataclass(kw_only=True)
class AbcrownResNet2b(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("layer1.0", "layer1.1", "linear1")
    head: ClassVar[str] = "linear2"

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        return residual(shape, classes, 8, [16])
