"""Which corruptions there are, and the one call that corrupts a batch.

The settings are those of the authors' code for CIFAR-10-C, which is for 32x32 pixels. What is a
number of pixels there is one here, whatever the size of the images; stretching goes with the size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Generator, Tensor

from robustbench_cli.data.dataset import Images

from . import blur, digital, noise, weather

KINDS = {
    "gaussian_noise": "noise",
    "shot_noise": "noise",
    "impulse_noise": "noise",
    "defocus_blur": "blur",
    "glass_blur": "blur",
    "motion_blur": "blur",
    "zoom_blur": "blur",
    "snow": "weather",
    "frost": "weather",
    "fog": "weather",
    "brightness": "weather",
    "contrast": "digital",
    "elastic_transform": "digital",
    "pixelate": "digital",
    "jpeg_compression": "digital",
}
"""The fifteen of the paper, in its order and under the names of its files."""
SEVERITIES = (1, 2, 3, 4, 5)

MADE: dict[str, Callable[[Tensor, int, Generator], Tensor]] = {
    work.__name__: work
    for work in (
        noise.gaussian_noise,
        noise.shot_noise,
        noise.impulse_noise,
        blur.defocus_blur,
        blur.glass_blur,
        blur.motion_blur,
        blur.zoom_blur,
        weather.snow,
        weather.fog,
        weather.brightness,
        digital.contrast,
        digital.elastic_transform,
        digital.pixelate,
        digital.jpeg_compression,
    )
}
"""Those that can be made here: all but frost."""


class Corrupted(Protocol):
    """Corrupted test images, from files or made."""

    @property
    def cells(self) -> tuple[tuple[str, int], ...]:
        """Each corruption with each of its severities."""
        ...

    def blocks(self, name: str, severity: int) -> Iterator[Images]:
        """The images of one cell, some at a time, always in the same order."""
        ...


def corrupt(x: Tensor, name: str, severity: int, generator: Generator) -> Tensor:
    """Images (N, C, H, W) in [0, 1] -> uint8 of that shape, as they would be stored.

    `generator` is on the CPU, wherever the images are. Rounded down, as the authors round.
    """
    distorted = MADE[name](x, severity, generator).clamp(0, 1)
    return (distorted * 255 + 1e-3).floor().to(torch.uint8)  # float32 makes 99.99999 of 100
