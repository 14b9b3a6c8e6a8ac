"""Labelled images that came in one piece: a test part, always the same one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from robustbench_cli.errors import RunError

from .dataset import Images, stratified

_SEED = 0  # of the split and of the order
_SHARE = 0.2


def split(images: Images, classes: Sequence[str]) -> tuple[Images, Images]:
    """80 to 20, the same share of every class, always in the same way; both parts shuffled.

    Raises:
        RunError: a class has one image.
    """
    for name, count in zip(classes, images.labels.bincount().tolist(), strict=False):
        if count == 1:
            raise RunError(f"class {name} has one picture; a split into train and test needs two")
    test = stratified(images.labels, _SHARE, _SEED)
    training = torch.ones(len(images), dtype=torch.bool)
    training[test] = False
    return shuffled(images[training]), shuffled(images[test])


def shuffled(images: Images) -> Images:
    """In a fixed random order, so that the first n have all classes."""
    return images[torch.from_numpy(np.random.default_rng(_SEED).permutation(len(images)))]
