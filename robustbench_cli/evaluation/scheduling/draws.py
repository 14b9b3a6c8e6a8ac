"""Random starts of many lanes at once, each a function of its own seed and of nothing else.

On the CPU a lane's numbers are those of torch's generator, seeded for the lane. A GPU would be
sent thousands of small draws that way; there they come from counters, all lanes in one draw
(`chance.py`). Neither touches the default generators, and no draw makes the host wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from eagerpy.astensor import astensor
from eagerpy.tensor.pytorch import PyTorchTensor
from torch import Tensor

from robustbench_cli.evaluation.chance import Streams

_ON_THE_HOST = ("cpu", "mps")  # mps lacks 64-bit products


class Seeded(PyTorchTensor):
    """Images (n, C, H, W) for an attack of Foolbox: row i of what it draws comes from seed i."""

    def __init__(self, raw: Tensor, seeds: Sequence[int] = ()) -> None:
        super().__init__(raw)
        if seeds:  # what is computed from this tensor draws nothing
            self._source = _source(seeds, raw.device)

    def uniform(self, shape: Any, low: Any = 0.0, high: Any = 1.0) -> Any:
        return astensor(self._source.uniform(self.raw.new_empty(shape))) * (high - low) + low

    def normal(self, shape: Any, mean: float = 0.0, stddev: float = 1.0) -> Any:
        return astensor(self._source.normal(self.raw.new_empty(shape))) * stddev + mean


def _source(seeds: Sequence[int], device: torch.device) -> Streams | _Generators:
    if device.type in _ON_THE_HOST:
        return _Generators(seeds)
    return Streams(torch.tensor(seeds).to(device, non_blocking=True), 0)


class _Generators:
    """One of torch's on the host for each row; each call goes on where the last one stopped."""

    def __init__(self, seeds: Iterable[int]) -> None:
        self._rows = [torch.Generator().manual_seed(seed) for seed in seeds]

    def uniform(self, like: Tensor) -> Tensor:
        """As `Chance` does."""
        return self._filled(like, Tensor.uniform_)

    def normal(self, like: Tensor) -> Tensor:
        return self._filled(like, Tensor.normal_)

    def _filled(self, like: Tensor, fill: Callable[..., Tensor]) -> Tensor:
        drawn = torch.empty(like.shape)
        for row, generator in zip(drawn, self._rows, strict=True):
            fill(row, generator=generator)
        return drawn.to(like.device)
