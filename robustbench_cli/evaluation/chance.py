"""Where an attack's random numbers come from: one stream for a batch, or one for each sample.

Drawn for the batch, as published code does, what a sample gets depends on which others share its
batch. Where samples of several epsilons share one, each has a counter instead: its number i is
SplitMix64's (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"), a
function of its seed and of nothing else, on every device. No draw makes the host wait.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from hashlib import blake2b
from math import prod, tau
from typing import Self

import torch
from torch import Tensor

_GOLDEN, _FIRST, _SECOND = (  # the signed values of SplitMix64's constants
    -0x61C8864680B583EB,
    -0x40A7B892E31B1A47,
    -0x6B2FB644ECCEEE15,
)
_BLOCK = 256
"""Numbers that a stream makes at once: a search that needs five a step seldom has to make any."""


class Chance:
    """PyTorch's own generators; what they give depends on all draws before."""

    def uniform(self, like: Tensor) -> Tensor:
        """From 0 to below 1, in the shape of `like`, (n, ...)."""
        return torch.rand_like(like)

    def normal(self, like: Tensor) -> Tensor:
        return torch.randn_like(like)

    def integers(self, high: int, shape: Sequence[int], device: torch.device) -> Tensor:
        """From 0 to below `high`; the shape is (n, ...)."""
        return torch.randint(high, tuple(shape), device=device)

    def place(self, high: int) -> int:
        """From 0 to below `high`, one for the whole batch."""
        return int(torch.randint(high, ()))

    def coin(self) -> bool:
        """One for the whole batch."""
        return bool(torch.rand(()) > 0.5)

    def at(self, index: Tensor) -> Self:
        """For the samples at `index` of the batch."""
        return self

    def joined(self, others: Sequence[Self]) -> Self:
        """For these samples and those of `others`, which have drawn as much."""
        return self


class Streams(Chance):
    """A counter for each sample. `common`: the seed of what is drawn once for all of them."""

    def __init__(self, seeds: Tensor, common: int) -> None:
        """`seeds`: (n,), int64, on the device that the numbers are for."""
        self._device, self._common = seeds.device, common
        self._seeds = seeds.cpu() if seeds.device.type == "mps" else seeds  # no 64-bit products
        self._drawn, self._ready = 0, torch.empty(len(seeds), 0, device=seeds.device)
        self._tossed = 0

    def uniform(self, like: Tensor) -> Tensor:
        return self._take(like.shape)

    def normal(self, like: Tensor) -> Tensor:
        return bell(self._take(like.shape), self._take(like.shape))

    def integers(self, high: int, shape: Sequence[int], device: torch.device) -> Tensor:
        return (self._take(shape) * high).long()

    def place(self, high: int) -> int:
        return int(self._toss() * high)

    def coin(self) -> bool:
        return self._toss() > 0.5

    def at(self, index: Tensor) -> Self:
        part = copy.copy(self)
        part._seeds, part._ready = self._seeds[index.to(self._seeds.device)], self._ready[index]
        return part

    def joined(self, others: Sequence[Self]) -> Self:
        assert all((o._drawn, o._tossed) == (self._drawn, self._tossed) for o in others)
        whole, every = copy.copy(self), [self, *others]
        whole._seeds = torch.cat([each._seeds for each in every])
        whole._ready = torch.cat([each._ready for each in every])
        return whole

    def again(self, number: int) -> Self:
        """For another try, whatever the tries before have drawn."""
        seeds = _mixed(self._seeds, torch.tensor(2**40 + number))  # no draw gets that far
        return type(self)(seeds.to(self._device), self._common + number)

    def _toss(self) -> float:
        """From 0 to below 1, the same for all: a function of the common seed and the count."""
        self._tossed += 1
        return (seed_of(self._common, self._tossed) >> 10) / 2**53

    def _take(self, shape: Sequence[int]) -> Tensor:
        count = prod(shape[1:])
        if (missing := count - self._ready.shape[1]) > 0:
            made = numbers(self._seeds, self._drawn, max(missing, _BLOCK)).to(self._device)
            self._drawn += made.shape[1]
            self._ready = torch.cat([self._ready, made], 1)
        taken, self._ready = self._ready[:, :count], self._ready[:, count:]
        return taken.reshape(tuple(shape))


def seed_of(*parts: object) -> int:
    """63 bits that depend on every part."""
    text = ",".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little") >> 1


def numbers(seeds: Tensor, first: int, count: int) -> Tensor:
    """Numbers `first` to below `first` + `count` of each seed: (n,) -> (n, count), float32.

    They are multiples of 2^-24 from 0 to below 1.
    """
    places = torch.arange(first + 1, first + count + 1, device=seeds.device)
    return _shifted(_mixed(seeds[:, None], places), 40).float() * 2**-24


def bell(length: Tensor, angle: Tensor) -> Tensor:
    """Normal numbers of two uniform ones each, by Box & Muller (1958)."""
    return (-2 * (-length).log1p()).sqrt() * (tau * angle).cos()


def _mixed(seeds: Tensor, places: Tensor) -> Tensor:
    """64 bits, as integers with a sign."""
    mixed = seeds + places * _GOLDEN
    mixed = (mixed ^ _shifted(mixed, 30)) * _FIRST
    mixed = (mixed ^ _shifted(mixed, 27)) * _SECOND
    return mixed ^ _shifted(mixed, 31)


def _shifted(bits: Tensor, by: int) -> Tensor:
    """Shifted right, with zeros from the left."""
    return (bits >> by) & ((1 << (64 - by)) - 1)
