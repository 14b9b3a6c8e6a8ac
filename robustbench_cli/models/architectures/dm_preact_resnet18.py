"""DeepMind's pre-activation ResNet-18 with SiLU; 12,548,426 parameters.

The smallest network of Rebuffi et al., arXiv 2103.01946, Gowal et al., arXiv 2110.09468, and Rade,
2021: as `preact-resnet18`, but for the activation, 3x3 convolutions of the raw input as shortcuts,
and convolutions that pad on one side (`models/deepmind.py`). It takes images of any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import nn

from robustbench_cli.models.blocks import he_init, residual_stage, sequence
from robustbench_cli.models.deepmind import Activation, PreActBlock, activation, conv
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class DMPreActResNet18(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("layer_1", "layer_2", "layer_3")
    head: ClassVar[str] = "logits"
    activation: Activation = param("silu", "all of the released weights have silu")

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        block = partial(PreActBlock, kind=self.activation)
        network = sequence(
            conv_2d=conv(shape[0], 64, 3, padding=1),
            layer_0=residual_stage(block, 64, 64, 2, 1),
            layer_1=residual_stage(block, 64, 128, 2, 2),
            layer_2=residual_stage(block, 128, 256, 2, 2),
            layer_3=residual_stage(block, 256, 512, 2, 2),
            batchnorm=nn.BatchNorm2d(512),
            relu=activation(self.activation),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            logits=nn.Linear(512, classes),
        )
        return he_init(network)
