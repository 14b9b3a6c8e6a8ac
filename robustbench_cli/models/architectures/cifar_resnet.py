"""The thin residual networks that He et al. made for CIFAR: depth 20 (269,722 parameters) to 110.

He et al., CVPR 2016, arXiv 1512.03385, section 4.2: three stages of n blocks with 16, 32 and 64
channels, depth = 6n + 2. The paper's shortcuts between the stages have no parameters (option A:
every second pixel, missing channels zero); ``shortcut=b`` learns a 1x1 convolution instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from torch import nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.blocks import (
    BasicBlock,
    ZeroPadShortcut,
    conv3x3,
    he_init,
    projection,
    residual_stage,
    sequence,
)
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class CifarResNet(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("layer2", "layer3")
    head: ClassVar[str] = "linear"
    variants: ClassVar[tuple[str, ...]] = tuple(
        f"depth={depth},shortcut={kind}" for kind in "ab" for depth in (20, 32, 44, 56, 110)
    )
    depth: int = param(20, "layers with weights: 6n+2, such as 20, 32, 44, 56 or 110", low=8)
    shortcut: Literal["a", "b"] = param("a", "a: zero padding, as in the paper; b: 1x1 convolution")

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.depth - 2) % 6:
            below = self.depth - (self.depth - 2) % 6
            raise UsageError(
                f"{self.name}: depth={self.depth} is not 6n+2; did you mean {below} or {below + 6}?"
            )

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        count = (self.depth - 2) // 6
        make = ZeroPadShortcut if self.shortcut == "a" else projection
        block = partial(BasicBlock, shortcut=make)
        network = sequence(
            conv1=conv3x3(shape[0], 16),
            bn1=nn.BatchNorm2d(16),
            relu1=nn.ReLU(),
            layer1=residual_stage(block, 16, 16, count, 1),
            layer2=residual_stage(block, 16, 32, count, 2),
            layer3=residual_stage(block, 32, 64, count, 2),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            linear=nn.Linear(64, classes),
        )
        return he_init(network)
