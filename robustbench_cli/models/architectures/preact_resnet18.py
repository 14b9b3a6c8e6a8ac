"""Pre-activation ResNet-18 for CIFAR; 11,172,170 parameters, or 11,171,146 without the last norm.

He et al., ECCV 2016, arXiv 1603.05027, with a 3x3 stem. The paper ends in a norm and a ReLU, and so
do the networks of Fast adversarial training and of robust overfitting: that is the default. The
code of manifold mixup and its followers leaves both out: ``final-norm=false``. Two networks of the
zoo of RobustBench (Wong2020Fast, Andriushchenko2020Understanding) do so, too, and their shortcuts
take a block's input before its norm: ``raw-shortcut=true``, which weights do not show. An average
over all pixels that are left comes before the linear layer, so images of any size pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import nn

from robustbench_cli.models.blocks import PreActBlock, conv3x3, he_init, residual_stage, sequence
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class PreActResNet18(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("layer2", "layer3", "layer4")
    head: ClassVar[str] = "linear"
    variants: ClassVar[tuple[str, ...]] = ("", "final-norm=false")
    final_norm: bool = param(True, "a norm and a ReLU after the last stage, as in the paper")
    raw_shortcut: bool = param(False, "projections take a block's input before its norm and ReLU")

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        block = partial(PreActBlock, raw=self.raw_shortcut)
        final = {"bn": nn.BatchNorm2d(512), "relu": nn.ReLU()} if self.final_norm else {}
        network = sequence(
            conv1=conv3x3(shape[0], 64),
            layer1=residual_stage(block, 64, 64, 2, 1),
            layer2=residual_stage(block, 64, 128, 2, 2),
            layer3=residual_stage(block, 128, 256, 2, 2),
            layer4=residual_stage(block, 256, 512, 2, 2),
            **final,
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            linear=nn.Linear(512, classes),
        )
        return he_init(network)
