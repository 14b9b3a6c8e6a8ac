"""Labelled images that came in one piece: a test part, always the same one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from robustbench_cli.errors import RunError

from .dataset import Images, stratified

_SEED = 0  # of the split and of the order
_SHARE = 0.2


def split(images: Images, classes: Sequence[str]) -> tuple[Images, Images]:
    """80 to 20, the same share of every class, always in the same way; both parts shuffled.

    Raises:
        RunError: a class has one image.
    """
    train, test = split_order(images.labels, classes)
    return images[train], images[test]


def split_order(labels: Tensor, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The places of the training and of the test images of such a split."""
    for name, count in zip(classes, labels.bincount().tolist(), strict=False):
        if count == 1:
            raise RunError(f"class {name} has one picture; a split into train and test needs two")
    test = stratified(labels, _SHARE, _SEED)
    training = torch.ones(len(labels), dtype=torch.bool)
    training[test] = False
    train = training.nonzero()[:, 0]
    return train[shuffled_order(len(train))], test[shuffled_order(len(test))]


def shuffled_order(count: int) -> Tensor:
    """A fixed random order, so that the first n have all classes."""
    return torch.from_numpy(np.random.default_rng(_SEED).permutation(count))
