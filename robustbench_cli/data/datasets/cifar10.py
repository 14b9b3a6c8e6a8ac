"""60,000 colour pictures of animals and vehicles in ten classes, 32x32: CIFAR-10.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; 50,000 images for
training and 10,000 for testing. The files lie in `cifar-10-batches-py` below the data folder, as
torchvision keeps them. Usual in training: crop after padding by 4, and mirror.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torchvision import datasets

from robustbench_cli.data import usual
from robustbench_cli.data.torchvision_files import TorchvisionDataset


@dataclass(kw_only=True)
class Cifar10(TorchvisionDataset):
    epochs = 30
    optimizer = "sgd"
    weight_decay = 5e-4
    padding = 4
    flip = True
    eps: ClassVar[dict[str, str]] = usual.COLOUR
    train_eps: ClassVar[dict[str, str]] = usual.COLOUR_TRAINING
    ranges: ClassVar[dict[str, str]] = usual.COLOUR_RANGES
    quoted: ClassVar[usual.Quoted] = usual.QUOTED_CIFAR
    source: ClassVar[type[Any]] = datasets.CIFAR10
    folder = "cifar-10-batches-py"
    files: ClassVar[Mapping[str, str | None]] = {
        **dict(datasets.CIFAR10.train_list),
        **dict(datasets.CIFAR10.test_list),
        datasets.CIFAR10.meta["filename"]: datasets.CIFAR10.meta["md5"],
    }
    layout = "NHWC"
