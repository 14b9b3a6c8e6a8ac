"""VGG-19 with batch norm and one linear layer, as used on CIFAR; 20,040,522 parameters.

Simonyan and Zisserman, ICLR 2015, arXiv 1409.1556, configuration E, with batch norm
after each convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from robustbench_cli.models.model import Architecture
from robustbench_cli.models.vgg import vgg, vgg_stages

_COUNTS = (2, 2, 4, 4, 4)


@dataclass(kw_only=True)
class VGG19BN(Architecture):
    stages: ClassVar[tuple[str, ...]] = vgg_stages(_COUNTS)
    head: ClassVar[str] = "classifier"

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        return vgg(_COUNTS, shape[0], classes)
