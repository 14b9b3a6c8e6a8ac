"""The larger residual network without norms of the verifier alpha-beta-CROWN; 123,734 parameters.

Its ``resnet4b`` for CIFAR-10, also in the verification competitions since 2021: as
``abcrown-resnet2b``, with 16 channels and then four residual blocks of 32, of which the first and
the third have stride 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_cli.models.abcrown import residual
from robustbench_cli.models.model import Architecture


@dataclass(kw_only=True)
class AbcrownResNet4b(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("layer1", "layer2", "linear1")
    head: ClassVar[str] = "linear2"

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        return residual(shape, classes, 16, [32, 32])
