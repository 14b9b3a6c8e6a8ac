"""The body that the VGG networks share; they differ in the number of convolutions per block."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from .blocks import sequence

WIDTHS = (64, 128, 256, 512, 512)


def vgg(counts: Sequence[int], channels: int, classes: int) -> nn.Sequential:
    """Five blocks of ``counts[i]`` times (3x3 convolution, batch norm, ReLU), then a max-pool.

    (N, channels, H, W) -> (N, classes). The pools round up, so that images of any size pass; at
    multiples of 32 that changes nothing. One linear layer stands in the place of the original's
    three, after an average over the pixels that are left (one, for 32x32).
    """
    layers: list[nn.Module] = []
    inputs = channels
    for count, width in zip(counts, WIDTHS, strict=True):
        for _ in range(count):
            convolution = nn.Conv2d(inputs, width, 3, padding=1)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            inputs = width
        layers.append(nn.MaxPool2d(2, ceil_mode=True))
    return sequence(
        features=nn.Sequential(*layers),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        classifier=nn.Linear(inputs, classes),
    )


def vgg_stages(counts: Sequence[int]) -> tuple[str, ...]:
    """The first convolution of each later block, and the linear layer."""
    starts = [sum(3 * count + 1 for count in counts[:i]) for i in range(1, len(counts))]
    return (*(f"features.{start}" for start in starts), "classifier")
