"""DeepMind's wide residual network with SiLU; WRN-28-10 has 36,479,194 parameters.

Gowal et al., "Uncovering the limits of adversarial training", arXiv 2010.03593, and those who took
it up (Rebuffi, Rade, Pang, Wang, Bartoldson ...): as `wide-resnet`, but for the activation and
convolutions that pad on one side (`models/deepmind.py`). It takes images of any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.blocks import he_init, residual_stage, sequence
from robustbench_cli.models.deepmind import Activation, WideBlock, activation, conv
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class DMWideResNet(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("layer.1", "layer.2")
    head: ClassVar[str] = "logits"
    variants: ClassVar[tuple[str, ...]] = tuple(
        f"depth={depth},width={width}" for depth, width in ((28, 10), (34, 10), (34, 20), (70, 16))
    )
    depth: int = param(28, "layers with weights: 6n+4, such as 28, 34 or 70", low=10)
    width: int = param(10, "multiplies the channels 16, 32, 64", low=1)
    activation: Activation = param("silu", "all but few of the released weights have silu")

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.depth - 4) % 6:
            below = self.depth - (self.depth - 4) % 6
            raise UsageError(
                f"{self.name}: depth={self.depth} is not 6n+4; did you mean {below} or {below + 6}?"
            )

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        count = (self.depth - 4) // 6
        widths = [16, *(self.width * channels for channels in (16, 32, 64))]
        block = partial(WideBlock, kind=self.activation)
        stages = [
            sequence(block=residual_stage(block, widths[i], widths[i + 1], count, stride))
            for i, stride in enumerate((1, 2, 2))
        ]
        network = sequence(
            init_conv=conv(shape[0], 16, 3, padding=1),
            layer=nn.Sequential(*stages),
            batchnorm=nn.BatchNorm2d(widths[-1]),
            relu=activation(self.activation),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            logits=nn.Linear(widths[-1], classes),
        )
        return he_init(network)
