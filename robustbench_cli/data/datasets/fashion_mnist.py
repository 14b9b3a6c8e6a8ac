"""70,000 pictures of clothes in ten classes, 28x28 grey: Fashion-MNIST, a harder MNIST.

Xiao, Rasul, Vollgraf, "Fashion-MNIST", 2017, arXiv:1708.07747. The four idx files lie in
`FashionMNIST/raw` below the data folder, as torchvision keeps them. Not mirrored in training by
default: nearly all shoes point left, in the test images too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torchvision import datasets

from robustbench_cli.data import usual
from robustbench_cli.data.torchvision_files import TorchvisionDataset


@dataclass(kw_only=True)
class FashionMnist(TorchvisionDataset):
    epochs = 10
    train_eps: ClassVar[dict[str, str]] = {**usual.GREY_TRAINING, "linf": "0.1", "l2": "1"}
    quoted: ClassVar[usual.Quoted] = usual.QUOTED_FASHION
    source: ClassVar[type[Any]] = datasets.FashionMNIST
    folder = "FashionMNIST/raw"
    files: ClassVar[Mapping[str, str | None]] = {
        "train-images-idx3-ubyte": None,
        "train-labels-idx1-ubyte": None,
        "t10k-images-idx3-ubyte": None,
        "t10k-labels-idx1-ubyte": None,
    }
