"""Which normalisation do foreign weights expect? The one of the usual ones under which they work.

A file of weights rarely says how its images were normalised, and a wrong guess costs accuracy
without any error. The right one shows in the loss on a few labelled images.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.errors import UsageError
from robustbench_cli.spec import number

from .model import Model, Normalise

Statistics = tuple[Sequence[float], Sequence[float]]  # mean and std per channel, pixels in [0, 1]

_COLOUR: dict[str, Statistics] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar": ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)),
    "cifar-batchwise": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
}
_HOW = "write MEAN:STD, as 0.1307:0.3081 or 0.49,0.48,0.45:0.25,0.24,0.26, or in 0..255"
_TIE = 1.001  # losses closer than this factor tell nothing apart


class Choice(NamedTuple):
    """The chosen normalisation, and the loss under each candidate: the choice, then the others."""

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    losses: dict[str, float]


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


def choose_normalisation(
    model: Model, x: Tensor, y: Tensor, candidates: Mapping[str, Statistics]
) -> Choice:
    """Put the candidate with the lowest cross entropy into the model, and say which it is.

    Of candidates whose losses lie within 0.1 % of the lowest, the first is taken. x: (N, C, H, W)
    in [0, 1], on the model's device; y: (N,) class numbers. Take training images, so that nothing
    is chosen on the test set.
    """
    losses = {name: _loss(model, x, y, *pair) for name, pair in candidates.items()}
    lowest = min(losses.values())
    best = next(name for name, loss in losses.items() if loss <= lowest * _TIE)
    mean, std = candidates[best]
    _set(model, mean, std)
    others = sorted((name for name in losses if name != best), key=losses.__getitem__)
    return Choice(best, tuple(mean), tuple(std), {name: losses[name] for name in (best, *others)})


def _set(model: Model, mean: Sequence[float], std: Sequence[float]) -> None:
    model.normalise = Normalise(mean, std).to(model.normalise.mean.device)


@torch.no_grad()
def _loss(model: Model, x: Tensor, y: Tensor, mean: Sequence[float], std: Sequence[float]) -> float:
    _set(model, mean, std)
    training = model.training
    model.eval()
    parts = zip(torch.split(x, 500), torch.split(y, 500), strict=True)
    total = sum(float(F.cross_entropy(model(a), b, reduction="sum")) for a, b in parts)
    model.train(training)
    return total / len(y) if total == total else float("inf")  # NaN is never the lowest
