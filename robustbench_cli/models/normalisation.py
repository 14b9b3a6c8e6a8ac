"""Which normalisation do foreign weights expect? The one of the usual ones under which they work.

A file of weights rarely says how its images were normalised, and a wrong guess costs accuracy
without any error. The right one shows in the loss on a few labelled images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .model import Model, Normalise

Statistics = tuple[Sequence[float], Sequence[float]]  # mean and std per channel, pixels in [0, 1]

_COLOUR: dict[str, Statistics] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar": ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)),
    "cifar-batchwise": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
}
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
