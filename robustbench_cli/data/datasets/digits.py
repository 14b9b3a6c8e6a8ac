"""1,797 scans of handwritten digits, 8x8 enlarged to 28x28 grey; comes with scikit-learn.

Alpaydin, Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (CC BY 4.0). The values 0
to 16 become 0 to 255; enlarged bilinearly (pixel centres aligned, like torch's
`align_corners=False`) in whole numbers, so that every machine has the same bytes. A fixed,
stratified split: 1,297 images for training, 500 for testing. Never downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from robustbench_cli.data import usual
from robustbench_cli.data.dataset import Dataset, Images, stratified

_SPLIT_SEED = 0
_TEST = 500


@dataclass(kw_only=True)
class Digits(Dataset):
    epochs = 15
    batch_size = 64
    train_eps: ClassVar[dict[str, str]] = {**usual.GREY_TRAINING, "linf": "0.1", "l2": "1"}
    quoted: ClassVar[usual.Quoted] = {"linf": ("0.1", usual.OWN), "l2": ("1", usual.OWN)}

    def load(self, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
        scans, labels = load_digits(return_X_y=True)
        pixels = enlarge(scans.reshape(-1, 8, 8).astype(np.int64))
        images = Images(torch.from_numpy(pixels[:, None]), torch.from_numpy(labels).long())
        test = stratified(images.labels, _TEST / len(images), _SPLIT_SEED)
        training = torch.ones(len(images), dtype=torch.bool)
        training[test] = False
        return images[training], images[test], tuple("0123456789")


def enlarge(scans: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(N, 8, 8) values 0..16 -> (N, 28, 28) values 0..255, bilinear and rounded half up."""
    weights = np.zeros((28, 8), dtype=np.int64)  # in fourteenths
    for i in range(28):
        place = min(max(4 * i - 5, 0), 7 * 14)  # (i + 0.5) * 8/28 - 0.5, at most 7
        weights[i, place // 14] = 14 - place % 14
        if place % 14:
            weights[i, place // 14 + 1] = place % 14
    whole = 16 * 14 * 14
    enlarged = weights @ scans @ weights.T * 255
    return ((2 * enlarged + whole) // (2 * whole)).astype(np.uint8)
