"""Wide residual network of any depth and width; WRN-28-10 has 36,479,194 parameters.

Zagoruyko and Komodakis, BMVC 2016, arXiv 1605.07146: three stages of n pre-activation blocks with
16, 32 and 64 times `width` channels, depth = 6n + 4; no dropout. WRN-34-10 has 46,160,474
parameters and WRN-40-2 2,243,546. Ding et al. (MMA training, ICLR 2020) standardise each image by
itself: ``standardise=true``, which weights do not show. Pang et al. (NeurIPS 2020, arXiv
2002.08619) end in cosines with the classes' weights, which are no linear layer: ``cosine=true``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.blocks import (
    Cosine,
    PreActBlock,
    Standardise,
    conv3x3,
    he_init,
    residual_stage,
    sequence,
)
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param

_KNOWN = ((28, 10), (34, 10), (34, 20), (70, 16), (40, 2), (40, 4), (16, 4), (16, 8), (28, 4))


@dataclass(kw_only=True)
class WideResNet(Architecture):
    stages: ClassVar[tuple[str, ...]] = ("layer2", "layer3")
    head: ClassVar[str] = "linear"
    variants: ClassVar[tuple[str, ...]] = tuple(
        f"depth={depth},width={width}" for depth, width in _KNOWN
    )
    depth: int = param(28, "layers with weights: 6n+4, such as 16, 28, 34 or 40", low=10)
    width: int = param(10, "multiplies the channels 16, 32, 64", low=1)
    standardise: bool = param(False, "each image first, by its own mean and deviation")
    cosine: bool = param(False, "logits are cosines of features and the classes' weights")

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.depth - 4) % 6:
            below = self.depth - (self.depth - 4) % 6
            raise UsageError(
                f"{self.name}: depth={self.depth} is not 6n+4; did you mean {below} or {below + 6}?"
            )

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        count = (self.depth - 4) // 6
        first, second, third = (self.width * channels for channels in (16, 32, 64))
        before = {"standardise": Standardise()} if self.standardise else {}
        network = sequence(
            **before,
            conv1=conv3x3(shape[0], 16),
            layer1=residual_stage(PreActBlock, 16, first, count, 1),
            layer2=residual_stage(PreActBlock, first, second, count, 2),
            layer3=residual_stage(PreActBlock, second, third, count, 2),
            bn=nn.BatchNorm2d(third),
            relu=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            linear=(Cosine if self.cosine else nn.Linear)(third, classes),
        )
        return he_init(network)
