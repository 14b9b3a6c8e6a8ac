"""99,289 house numbers photographed from the street, 32x32 colour, one digit each: SVHN.

Netzer et al., "Reading Digits in Natural Images with Unsupervised Feature Learning", 2011; 73,257
images for training and 26,032 for testing (the 531,131 easier "extra" images are not used). The two
.mat files lie in the data folder itself, as torchvision keeps them. Cropped after padding by 4 in
training, never mirrored: a mirrored 2 is no 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torchvision import datasets

from robustbench_cli.data import usual
from robustbench_cli.data.torchvision_files import TorchvisionDataset


@dataclass(kw_only=True)
class Svhn(TorchvisionDataset):
    epochs = 20
    optimizer = "sgd"
    weight_decay = 5e-4
    padding = 4
    eps: ClassVar[dict[str, str]] = usual.COLOUR
    train_eps: ClassVar[dict[str, str]] = usual.COLOUR_TRAINING
    ranges: ClassVar[dict[str, str]] = usual.COLOUR_RANGES
    quoted: ClassVar[usual.Quoted] = usual.QUOTED_SVHN
    source: ClassVar[type[Any]] = datasets.SVHN
    folder = ""
    files: ClassVar[Mapping[str, str | None]] = {
        name: md5 for _, name, md5 in (datasets.SVHN.split_list[s] for s in ("train", "test"))
    }
    layout = "NCHW"
    splits = ({"split": "train"}, {"split": "test"})
    classes = tuple("0123456789")
