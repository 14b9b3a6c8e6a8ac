"""Data that are points of a plane, as spirals are: what only they can be asked."""

from __future__ import annotations

from math import prod

from torch import Tensor

from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError


def points_of(images: Images, name: str) -> Tensor:
    """(N, 2): the two pixels of each image, for the analysis called `name`.

    Raises:
        UsageError: images of more or fewer pixels.
    """
    if prod(images.shape) != 2:
        shape = "x".join(map(str, images.shape))
        raise UsageError(
            f"{name} is about points of the plane, and these images have {shape} values; "
            "train on points: robustmix train --data spirals"
        )
    return images.x.flatten(1)
