"""Random starts of many lanes at once, each a function of its own seed and of nothing else.

On the CPU a lane's numbers are those of torch's generator, seeded for the lane. A GPU would be
sent thousands of small draws that way; there they come from a counter, all lanes in one draw:
number i of a lane is SplitMix64's (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
generators"). Neither touches the default generators, and no draw makes the host wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from math import prod, tau
from typing import Any, Protocol

import torch
from eagerpy.astensor import astensor
from eagerpy.tensor.pytorch import PyTorchTensor
from torch import Tensor

_ON_THE_HOST = ("cpu", "mps")  # mps lacks 64-bit products
_GOLDEN, _FIRST, _SECOND = (  # the signed values of SplitMix64's constants
    -0x61C8864680B583EB,
    -0x40A7B892E31B1A47,
    -0x6B2FB644ECCEEE15,
)


def lane_seed(*parts: object) -> int:
    """A seed of 63 bits that depends on every part."""
    text = ",".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little") >> 1


class Seeded(PyTorchTensor):
    """Images (n, C, H, W) for an attack of Foolbox: row i of what it draws comes from seed i."""

    def __init__(self, raw: Tensor, seeds: Sequence[int] = ()) -> None:
        super().__init__(raw)
        if seeds:  # what is computed from this tensor draws nothing
            made = _Generators if raw.device.type in _ON_THE_HOST else _Counters
            self._source: _Source = made(seeds, raw.device)

    def uniform(self, shape: Any, low: Any = 0.0, high: Any = 1.0) -> Any:
        return astensor(self._source.uniform(shape)) * (high - low) + low

    def normal(self, shape: Any, mean: float = 0.0, stddev: float = 1.0) -> Any:
        return astensor(self._source.normal(shape)) * stddev + mean


class _Source(Protocol):
    """Numbers of a shape (n, ...), float32; each call goes on where the last one stopped."""

    def uniform(self, shape: Sequence[int]) -> Tensor: ...
    def normal(self, shape: Sequence[int]) -> Tensor: ...


class _Generators:
    """One of torch's on the host for each row."""

    def __init__(self, seeds: Iterable[int], device: torch.device) -> None:
        self._rows = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._device = device

    def uniform(self, shape: Sequence[int]) -> Tensor:
        return self._filled(shape, Tensor.uniform_)

    def normal(self, shape: Sequence[int]) -> Tensor:
        return self._filled(shape, Tensor.normal_)

    def _filled(self, shape: Sequence[int], fill: Callable[..., Tensor]) -> Tensor:
        drawn = torch.empty(*shape)
        for row, generator in zip(drawn, self._rows, strict=True):
            fill(row, generator=generator)
        return drawn.to(self._device)


class _Counters:
    """A counter on the device for each row."""

    def __init__(self, seeds: Iterable[int], device: torch.device) -> None:
        self._state = torch.tensor(list(seeds))[:, None].to(device, non_blocking=True)
        self._drawn = 0

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Multiples of 2^-24 from 0 to below 1."""
        count = prod(shape[1:])
        places = torch.arange(self._drawn + 1, self._drawn + count + 1, device=self._state.device)
        self._drawn += count
        mixed = self._state + places * _GOLDEN
        mixed = (mixed ^ _shifted(mixed, 30)) * _FIRST
        mixed = (mixed ^ _shifted(mixed, 27)) * _SECOND
        mixed = mixed ^ _shifted(mixed, 31)
        return (_shifted(mixed, 40).float() * 2**-24).reshape(tuple(shape))

    def normal(self, shape: Sequence[int]) -> Tensor:
        """By Box & Muller (1958)."""
        length, angle = self.uniform(shape), self.uniform(shape)
        return (-2 * (-length).log1p()).sqrt() * (tau * angle).cos()


def _shifted(bits: Tensor, by: int) -> Tensor:
    """Shifted right, with zeros from the left."""
    return (bits >> by) & ((1 << (64 - by)) - 1)
