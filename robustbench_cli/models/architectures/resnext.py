"""ResNeXt for CIFAR, a residual network of grouped convolutions; 6,807,882 parameters.

Xie et al., CVPR 2017, arXiv 1611.05431, section 5.3: three stages of n bottlenecks with 256, 512
and 1024 channels, depth = 9n + 2. The 3x3 convolutions have `groups` groups, each of `width`, 2 and
4 times `width` channels from stage to stage. AugMix (Hendrycks et al., ICLR 2020) takes 29 layers,
4 groups and a width of 32: that is the default. It takes images of any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.blocks import Bottleneck, conv3x3, he_init, residual_stage, sequence
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class ResNeXt(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("layer2", "layer3")
    head: ClassVar[str] = "linear"
    depth: int = param(29, "layers with weights: 9n+2, such as 29, 38 or 47", low=11)
    groups: int = param(4, "of each 3x3 convolution: the cardinality", low=1)
    width: int = param(32, "channels of a group in the first stage", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.depth - 2) % 9:
            below = self.depth - (self.depth - 2) % 9
            raise UsageError(
                f"{self.name}: depth={self.depth} is not 9n+2; did you mean {below} or {below + 9}?"
            )

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        count, inner = (self.depth - 2) // 9, self.groups * self.width
        block = [partial(Bottleneck, groups=self.groups, inner=k * inner) for k in (1, 2, 4)]
        network = sequence(
            conv1=conv3x3(shape[0], 64),
            bn1=nn.BatchNorm2d(64),
            relu1=nn.ReLU(),
            layer1=residual_stage(block[0], 64, 256, count, 1),
            layer2=residual_stage(block[1], 256, 512, count, 2),
            layer3=residual_stage(block[2], 512, 1024, count, 2),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            linear=nn.Linear(1024, classes),
        )
        return he_init(network)
