"""ResNet-50 with a 3x3 stem and no max-pool, as used on CIFAR; 23,520,842 parameters.

He et al., CVPR 2016, arXiv 1512.03385, with the ImageNet stem left out; the stride is that of the
3x3 convolutions. It takes images of any size. `robustbench:Engstrom2019Robustness` is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_cli.models.blocks import Bottleneck, conv3x3, he_init, residual_stage, sequence
from robustbench_cli.models.model import Architecture


@dataclass(kw_only=True)
class ResNet50(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("layer2", "layer3", "layer4")
    head: ClassVar[str] = "linear"

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        network = sequence(
            conv1=conv3x3(shape[0], 64),
            bn1=nn.BatchNorm2d(64),
            relu1=nn.ReLU(),
            layer1=residual_stage(Bottleneck, 64, 256, 3, 1),
            layer2=residual_stage(Bottleneck, 256, 512, 4, 2),
            layer3=residual_stage(Bottleneck, 512, 1024, 6, 2),
            layer4=residual_stage(Bottleneck, 1024, 2048, 3, 2),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            linear=nn.Linear(2048, classes),
        )
        return he_init(network)
