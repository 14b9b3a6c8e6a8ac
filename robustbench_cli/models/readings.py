"""What a file of weights may mean: every network that it fits, under every usual normalisation.

A file says neither. `guessing.py` decides which readings are possible, and whether it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustbench_cli.data.dataset import SPLIT_SEED, Images, stratified

from .guessing import Right, near_chance, possible
from .model import Architecture, Model
from .normalisation import Statistics

PROBES = 5000  # training images on which the readings are told apart, at most
FIRST = 256  # of them, those that every reading sees; what is impossible by then sees no more
_SOONER = 64  # ... or these, where readings are more than so many:
_MANY = 12
_CHANCE = 4  # images of the first, by which one that is ahead on all may be behind
_SAME = 1e-3  # of a mean or a deviation: two roundings of one number
_BATCH = 256


class Reading(NamedTuple):
    """One way to understand a file: this network, behind this normalisation."""

    architecture: Architecture
    normalise: str
    statistics: Statistics


class Looked(NamedTuple):
    """A reading, the classes that it answers to the first probes, and which of them are right."""

    reading: Reading
    classes: NDArray[np.int64]
    right: Right


def readings(
    architectures: Sequence[Architecture], normalisations: Mapping[str, Statistics]
) -> list[Reading]:
    """All of them, likeliest first; a normalisation that rounds to an earlier one is left out."""
    distinct: dict[str, Statistics] = {}
    for name, pair in normalisations.items():
        if not any(_alike(pair, other) for other in distinct.values()):
            distinct[name] = pair
    return [Reading(a, name, pair) for a in architectures for name, pair in distinct.items()]


def options(read: Sequence[Reading]) -> list[str]:
    """What is typed to choose each of them, as far as they differ."""
    models = len({str(each.architecture) for each in read}) > 1
    ways = len({each.normalise for each in read}) > 1 or not models
    return [
        " ".join(
            [f"--model {each.architecture}"] * models + [f"--normalise {each.normalise}"] * ways
        )
        for each in read
    ]


def probes(train: Images) -> Images:
    """Up to :data:`PROBES` of the training images, every class in its share, in random order."""
    some = stratified(train.labels, min(1.0, PROBES / len(train)), SPLIT_SEED)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(some))
    return train[some[torch.from_numpy(order)].to(train.labels.device)]


def look(
    read: Sequence[Reading], place: Callable[[Reading], Model], images: Images
) -> list[Looked]:
    """What each reading answers to the probes, or to the first few where it is impossible then.

    `place` gives the network of a reading, on the device of the images. Of readings that are one
    function (all logits agree) only the first is kept.
    """
    labels = images.labels.cpu().numpy()
    stages = [_SOONER, FIRST] if len(read) > _MANY else [FIRST]
    ends = [*(n for n in stages if n < len(images)), len(images)]
    kept, seen = _distinct(read, place, images[: ends[0]])
    for start, end in pairwise(ends):
        still = possible([each == labels[: len(each)] for each in seen])
        if start >= FIRST:
            still = _hopeful(still, kept, [int((c == labels[: len(c)]).sum()) for c in seen])
            if near_chance(seen[still[0]] == labels[:start], int(labels.max()) + 1):
                still = still[:_MANY]  # of what classifies nothing, hundreds may be left
        for i in sorted(still):  # the networks of neighbours are often the same
            more = _logits(place(kept[i]), images[start:end]).argmax(1).numpy()
            seen[i] = np.concatenate([seen[i], more])
    return [
        Looked(each, classes, classes == labels[: len(classes)])
        for each, classes in zip(kept, seen, strict=True)
    ]


def _hopeful(still: Sequence[int], kept: Sequence[Reading], right: Sequence[int]) -> list[int]:
    """Without unusual networks that are behind a usual one: they would have to be ahead."""
    odd = {i: kept[i].architecture.oddities for i in still}
    return [
        i for i in still if all(odd[i] <= odd[j] or right[i] + _CHANCE > right[j] for j in still)
    ]


def _distinct(
    read: Sequence[Reading], place: Callable[[Reading], Model], images: Images
) -> tuple[list[Reading], list[NDArray[np.int64]]]:
    """Readings that are functions of their own, and the classes that they answer."""
    logits: list[Tensor] = []
    kept: list[Reading] = []
    for each in read:
        found = _logits(place(each), images)
        near = torch.isclose(torch.stack(logits), found, rtol=1e-4, atol=1e-5) if logits else None
        if near is None or not bool(near.flatten(1).all(1).any()):
            logits.append(found)
            kept.append(each)
    return kept, [found.argmax(1).numpy() for found in logits]


def _alike(one: Statistics, other: Statistics) -> bool:
    return all(np.allclose(a, b, rtol=0, atol=_SAME) for a, b in zip(one, other, strict=True))


@torch.no_grad()
def _logits(model: Model, images: Images) -> Tensor:
    """(N, classes) in eval mode, on the CPU."""
    training = model.training
    model.eval()
    parts = [model(images[i : i + _BATCH].x) for i in range(0, len(images), _BATCH)]
    model.train(training)
    return torch.cat(parts).cpu()
