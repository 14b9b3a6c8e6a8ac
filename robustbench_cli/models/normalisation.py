"""How images are normalised: the usual ways, and numbers as people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from robustbench_cli.errors import UsageError
from robustbench_cli.spec import number

Statistics = tuple[Sequence[float], Sequence[float]]  # mean and std per channel, pixels in [0, 1]

_COLOUR: dict[str, Statistics] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar": ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)),
    "cifar-batchwise": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
}
_HOW = "write MEAN:STD, as 0.1307:0.3081 or 0.49,0.48,0.45:0.25,0.24,0.26, or in 0..255"


def usual(mean: Sequence[float], std: Sequence[float]) -> dict[str, Statistics]:
    """The usual candidates, likeliest first: none, [-1, 1], published constants, the data's own.

    `mean` and `std` are the data's; they come last, and with four digits, as people write them.
    """
    channels = len(mean)
    found: dict[str, Statistics] = {
        "none": ([0.0] * channels, [1.0] * channels),
        "symmetric": ([0.5] * channels, [0.5] * channels),
    }
    if channels == 3:
        found |= _COLOUR
    return found | {"data": ([round(m, 4) for m in mean], [round(s, 4) for s in std])}


def written(text: str, channels: int) -> Statistics:
    """``MEAN:STD`` as people write it, one number for all channels or one for each.

    ``0.1307:0.3081``, ``0.4914,0.4822,0.4465:0.2471,0.2435,0.2616``; numbers above 1 say that all
    are of pixels in 0..255: ``125.3,123.0,113.9:63.0,62.1,66.7``.

    Raises:
        UsageError: no numbers, not as many as channels, or none that can be meant.
    """
    parts = [re.split(r"[\s,()\[\]]+", part) for part in text.split(":")]
    if len(parts) != 2:
        raise UsageError(f"no normalisation {text!r}; {_HOW}")
    mean, std = ([float(number(each)) for each in part if each] for part in parts)
    for numbers in (mean, std):
        if len(numbers) not in (1, channels):
            raise UsageError(
                f"--normalise {text} has {len(numbers)} numbers for {channels} "
                f"channel{'s' * (channels > 1)}; {_HOW}"
            )
    scale = 255.0 if max(*mean, *std) > 1 else 1.0
    mean = [value / scale for value in mean] * (channels // len(mean))
    std = [value / scale for value in std] * (channels // len(std))
    mixed = scale > 1 and (max(std) < 1 / 255 or 0 < max(mean) < 1 / 255)
    if mixed or not all(0 <= m <= 1 for m in mean) or not all(0 < s <= 1 for s in std):
        raise UsageError(
            f"--normalise {text} makes no sense for pixels of [0, 1], nor for 0..255; {_HOW}"
        )
    return mean, std
