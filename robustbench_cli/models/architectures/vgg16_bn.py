"""VGG-16 with batch norm and one linear layer, as used on CIFAR; 14,728,266 parameters.

Simonyan and Zisserman, ICLR 2015, arXiv 1409.1556, configuration D, with batch norm
after each convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_cli.models.model import Architecture
from robustbench_cli.models.vgg import vgg, vgg_stages

_COUNTS = (2, 2, 3, 3, 3)


@dataclass(kw_only=True)
class VGG16BN(Architecture):
    stages: ClassVar[tuple[str, ...]] = vgg_stages(_COUNTS)
    head: ClassVar[str] = "classifier"

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        return vgg(_COUNTS, shape[0], classes)
