"""ResNet-18 with a 3x3 stem and no max-pool, as used on CIFAR; 11,173,962 parameters.

He et al., CVPR 2016, arXiv 1512.03385, with the ImageNet stem left out. All pixels that are left
are averaged before the linear layer, so images of any size pass. ``width=128`` is the network of
Diffenderfer et al., NeurIPS 2021, twice as wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_cli.models.blocks import BasicBlock, conv3x3, he_init, residual_stage, sequence
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class ResNet18(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("layer2", "layer3", "layer4")
    head: ClassVar[str] = "linear"
    variants: ClassVar[tuple[str, ...]] = ("", "width=128")
    width: int = param(64, "channels of the first stage", low=1)

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        first, second, third, fourth = (self.width * k for k in (1, 2, 4, 8))
        network = sequence(
            conv1=conv3x3(shape[0], first),
            bn1=nn.BatchNorm2d(first),
            relu1=nn.ReLU(),
            layer1=residual_stage(BasicBlock, first, first, 2, 1),
            layer2=residual_stage(BasicBlock, first, second, 2, 2),
            layer3=residual_stage(BasicBlock, second, third, 2, 2),
            layer4=residual_stage(BasicBlock, third, fourth, 2, 2),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            linear=nn.Linear(fourth, classes),
        )
        return he_init(network)
