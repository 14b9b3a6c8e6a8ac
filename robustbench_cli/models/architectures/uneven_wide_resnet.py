"""Wide residual networks whose stages differ in depth and width; by default 68,116,698 parameters.

Huang et al. found that robust networks want a smaller last stage: WRN-34-R (NeurIPS 2021, arXiv
2110.03825), the default, and WRN-A4 (CVPR 2023, arXiv 2212.11005), which is
``blocks=27-28-13,widths=10-14-6,activation=silu`` and has 147,291,738 parameters. Blocks and names
are those of wide-resnet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from torch import nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.blocks import PreActBlock, conv3x3, he_init, residual_stage, sequence
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param

_A4 = "blocks=27-28-13,widths=10-14-6,activation=silu"


@dataclass(kw_only=True)
class UnevenWideResNet(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("layer2", "layer3")
    head: ClassVar[str] = "linear"
    variants: ClassVar[tuple[str, ...]] = ("", _A4)
    blocks: str = param("5-5-5", "of each of the three stages, two convolutions in each block")
    widths: str = param("20-20-8", "multiply the channels 16, 32, 64 of the stages")
    activation: Literal["relu", "silu"] = param("relu", "after each norm")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, text in (("blocks", self.blocks), ("widths", self.widths)):
            if not re.fullmatch(r"[1-9]\d*(-[1-9]\d*){2}", text):
                raise UsageError(
                    f"{self.name}: {name}={text} are not three numbers, one for each stage; "
                    f"expected such as {name}=5-5-5"
                )

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        one, two, three = map(int, self.blocks.split("-"))
        factors = map(int, self.widths.split("-"))
        first, second, third = (a * b for a, b in zip(factors, (16, 32, 64), strict=True))
        activation = nn.SiLU if self.activation == "silu" else nn.ReLU
        block = partial(PreActBlock, activation=activation)
        network = sequence(
            conv1=conv3x3(shape[0], 16),
            layer1=residual_stage(block, 16, first, one, 1),
            layer2=residual_stage(block, first, second, two, 2),
            layer3=residual_stage(block, second, third, three, 2),
            bn=nn.BatchNorm2d(third),
            relu=activation(),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            linear=nn.Linear(third, classes),
        )
        return he_init(network)
