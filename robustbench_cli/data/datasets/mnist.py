"""70,000 handwritten digits, 28x28 grey: MNIST, 60,000 for training and 10,000 for testing.

LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.
The four idx files lie in `MNIST/raw` below the data folder, as torchvision keeps them.
Adversarial training uses Madry's radius, 0.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torchvision import datasets

from robustbench_cli.data import usual
from robustbench_cli.data.torchvision_files import TorchvisionDataset


@dataclass(kw_only=True)
class Mnist(TorchvisionDataset):
    epochs = 5
    train_eps: ClassVar[dict[str, str]] = {**usual.GREY_TRAINING, "linf": "0.3", "l2": "2"}
    quoted: ClassVar[usual.Quoted] = usual.QUOTED_MNIST
    source: ClassVar[type[Any]] = datasets.MNIST
    folder = "MNIST/raw"
    files: ClassVar[Mapping[str, str | None]] = {
        "train-images-idx3-ubyte": None,
        "train-labels-idx1-ubyte": None,
        "t10k-images-idx3-ubyte": None,
        "t10k-labels-idx1-ubyte": None,
    }
    classes = tuple("0123456789")
