"""Random starts of many lanes at once, each a function of its own seed and of nothing else.

On the CPU a lane's numbers are those of torch's generator, seeded for the lane. A GPU would be
sent thousands of small draws that way; there they come from counters, all lanes in one draw
(`chance.py`). Neither touches the default generators, and no draw makes the host wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any, Protocol

import torch
from eagerpy.astensor import astensor
from eagerpy.tensor.pytorch import PyTorchTensor
from torch import Tensor

from robustbench_cli.evaluation.chance import bell, numbers

_ON_THE_HOST = ("cpu", "mps")  # mps lacks 64-bit products


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
        self._state = torch.tensor(list(seeds)).to(device, non_blocking=True)
        self._drawn = 0

    def uniform(self, shape: Sequence[int]) -> Tensor:
        drawn = numbers(self._state, self._drawn, prod(shape[1:]))
        self._drawn += drawn.shape[1]
        return drawn.reshape(tuple(shape))

    def normal(self, shape: Sequence[int]) -> Tensor:
        return bell(self.uniform(shape), self.uniform(shape))
