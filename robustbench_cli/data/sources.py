"""Where pixels come from that need not all be in memory: pictures in files, rows of an array."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from math import prod
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from robustbench_cli.errors import RunError

_THREADS = 16
_FEW = 4  # pictures for which a thread is not worth while


class Source(Protocol):
    """Images by their places in it."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        ...

    @property
    def dtype(self) -> torch.dtype: ...

    def mark(self) -> str:
        """Another text whenever other pixels would be read, without reading them."""
        ...

    def __len__(self) -> int: ...

    def read(self, places: Tensor) -> Tensor:
        """(n, C, H, W) on the CPU, for places (n,)."""
        ...


@dataclass(frozen=True)
class Pictures:
    """Pictures that `decode` makes of their places; several at once, as decoding is most of it."""

    count: int
    shape: tuple[int, int, int]
    decode: Callable[[int], Tensor]  # (C, H, W), uint8
    stamp: Callable[[], str]
    dtype: torch.dtype = torch.uint8

    def __len__(self) -> int:
        return self.count

    def mark(self) -> str:
        return self.stamp()

    def read(self, places: Tensor) -> Tensor:
        pixels = torch.empty((len(places), *self.shape), dtype=self.dtype)

        def work(row: int, place: int) -> None:
            pixels[row].copy_(self.decode(place))

        wanted = places.tolist()
        threads = min(_THREADS, processors())
        if threads == 1 or len(wanted) <= _FEW:
            for row, place in enumerate(wanted):
                work(row, place)
        else:
            with ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(work, range(len(wanted)), wanted):
                    pass  # an error of any is raised here
        return pixels


@dataclass(frozen=True)
class Rows:
    """A C-ordered array of uint8 in a file, from `offset` on; read, not mapped, so that it stays
    out of memory. `last`: whether the channels are the last axis of `row`, the shape of an image.
    """

    path: Path
    offset: int
    count: int
    row: tuple[int, int, int]
    last: bool
    dtype: torch.dtype = torch.uint8

    @property
    def shape(self) -> tuple[int, int, int]:
        a, b, c = self.row
        return (c, a, b) if self.last else (a, b, c)

    def __len__(self) -> int:
        return self.count

    def mark(self) -> str:
        return f"{self} {files_mark([self.path])}"

    def read(self, places: Tensor) -> Tensor:
        size = prod(self.row)
        rows = np.empty((len(places), size), dtype=np.uint8)
        with self.path.open("rb", buffering=0) as file:
            for row, place in zip(rows, places.tolist(), strict=True):
                file.seek(self.offset + place * size)
                if file.readinto(row.data) != size:
                    raise RunError(f"{self.path} became shorter while it was read")
        found = torch.from_numpy(rows).view(len(places), *self.row)
        return found.permute(0, 3, 1, 2).contiguous() if self.last else found


@dataclass(frozen=True)
class InMemory:
    """What is here already, for a device that has no room for it."""

    pixels: Tensor
    number: int = field(default_factory=count().__next__)

    @property
    def shape(self) -> tuple[int, int, int]:
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    @property
    def dtype(self) -> torch.dtype:
        return self.pixels.dtype

    def __len__(self) -> int:
        return len(self.pixels)

    def mark(self) -> str:
        return f"in memory, {self.number}"

    def read(self, places: Tensor) -> Tensor:
        return self.pixels[places]


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def files_mark(files: Iterable[str | Path]) -> str:
    """Another text whenever one of these files has changed; they are not opened."""
    state = hashlib.sha256()
    for file in files:
        with suppress(OSError):  # it is missed when it is read
            about = Path(file).stat()
            state.update(f"{file} {about.st_size} {about.st_mtime_ns}\n".encode())
    return state.hexdigest()
