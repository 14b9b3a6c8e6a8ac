"""Labelled images on one device: held whole as one tensor, or read in parts as they are used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import prod
from typing import Self

import torch
from torch import Tensor

from robustbench_cli.device import is_out_of_memory
from robustbench_cli.errors import DeviceMemoryError

from .memory import fits_device
from .sources import InMemory, Source

_BLOCK = 2**25
"""Pixel values that are looked at together where a whole set is gone through."""


@dataclass(frozen=True, eq=False)
class Images:
    """A labelled set on one device.

    pixels: (N, C, H, W), uint8 in 0..255, or float32 already in [0, 1]. labels: (N,), int64.
    classes: what they are called; empty where nobody said. folders: what their folders are called
    in the files that others publish, where that is something else.
    """

    pixels: Tensor
    labels: Tensor
    classes: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice | Tensor) -> Self:
        return replace(self, pixels=self.pixels[index], labels=self.labels[index])

    @property
    def x(self) -> Tensor:
        """(N, C, H, W), float32 in [0, 1]."""
        return scale(self.pixels)

    @property
    def device(self) -> torch.device:
        return self.labels.device

    @property
    def home(self) -> torch.device:
        """Where places in the set are looked up fastest."""
        return self.device

    @property
    def dtype(self) -> torch.dtype:
        return self.pixels.dtype

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    def named(self, classes: tuple[str, ...]) -> Self:
        return replace(self, classes=classes)

    def relabelled(self, labels: Tensor) -> Self:
        return replace(self, labels=labels)

    def each(self, parts: Iterable[slice | Tensor]) -> Iterator[Images]:
        """The images of each part, held; what must be read for the next one is read meanwhile."""
        for part in parts:
            yield self[part]

    def blocks(self) -> Iterator[Images]:
        """All of them in order, some at a time."""
        size = max(1, _BLOCK // prod(self.shape))
        return self.each(slice(start, start + size) for start in range(0, len(self), size))

    def to(self, device: torch.device) -> Images:
        """On the device; where that has no room for them, read from here as they are used.

        Raises:
            DeviceMemoryError: too large for what the device has.
        """
        if not fits_device(self.pixels, device):
            streamed = Streamed(InMemory(self.pixels), self.labels, self.classes, self.folders)
            return streamed.to(device)
        try:
            return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))
        except RuntimeError as e:
            if not is_out_of_memory(e):
                raise
        size = self.pixels.numel() * self.pixels.element_size() / 2**30
        raise DeviceMemoryError(
            f"{len(self)} images of {size:.1f} GiB do not fit into the memory of {device}; take "
            "fewer (train: --train-fraction 0.5, attack: --samples 1000), or --device cpu"
        )

    def digest(self) -> str:
        """16 hexadecimal digits that change whenever a pixel or a label does."""
        state = hashlib.sha256(str((len(self), *self.shape)).encode())
        for block in self.blocks():
            state.update(block.pixels.cpu().contiguous().numpy().data)
        state.update(self.labels.cpu().contiguous().numpy().data)
        return state.hexdigest()[:16]


class Streamed(Images):
    """Images of a `source`, of which no more are in memory than somebody uses at the moment.

    Everything that comes of them is the same, to the bit, as if they were held. `pixels` and `x`
    read all of these: take a part first.
    """

    source: Source
    places: Tensor  # (N,), on the CPU

    def __init__(
        self,
        source: Source,
        labels: Tensor,
        classes: Sequence[str] = (),
        folders: Sequence[str] = (),
        places: Tensor | None = None,
    ) -> None:
        values = {"source": source, "labels": labels}
        values |= {"classes": tuple(classes), "folders": tuple(folders)}
        values["places"] = torch.arange(len(labels)) if places is None else places
        for name, value in values.items():  # frozen
            object.__setattr__(self, name, value)

    def _with(self, labels: Tensor, places: Tensor, classes: tuple[str, ...]) -> Self:
        return type(self)(self.source, labels, classes, self.folders, places)

    def __getitem__(self, index: slice | Tensor) -> Self:
        if isinstance(index, slice):
            return self._with(self.labels[index], self.places[index], self.classes)
        here, there = index.to(self.device), index.cpu()
        return self._with(self.labels[here], self.places[there], self.classes)

    @property
    def pixels(self) -> Tensor:
        return self.source.read(self.places).to(self.device)

    @property
    def home(self) -> torch.device:
        return self.places.device

    @property
    def dtype(self) -> torch.dtype:
        return self.source.dtype

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.source.shape

    def named(self, classes: tuple[str, ...]) -> Self:
        return self._with(self.labels, self.places, classes)

    def relabelled(self, labels: Tensor) -> Self:
        return self._with(labels, self.places, self.classes)

    def each(self, parts: Iterable[slice | Tensor]) -> Iterator[Images]:
        # the other thread reads and no more: what a device is asked for, this one asks
        with ThreadPoolExecutor(1) as reader:
            waiting: tuple[Images, Future[Tensor]] | None = None
            for part in parts:
                some = self[part]
                coming = some, reader.submit(self.source.read, some.places)
                if waiting:
                    yield self._arrived(*waiting)
                waiting = coming
            if waiting:
                yield self._arrived(*waiting)

    def _arrived(self, some: Images, read: Future[Tensor]) -> Images:
        return Images(read.result().to(self.device), some.labels, self.classes, self.folders)

    def to(self, device: torch.device) -> Images:
        return self._with(self.labels.to(device), self.places, self.classes)

    def digest(self) -> str:
        """As of held images; a set that is read is gone through once in a process for it."""
        state = hashlib.sha256()
        for tensor in (self.places, self.labels):
            state.update(tensor.cpu().contiguous().numpy().data)
        key = (self.source.mark(), state.digest())
        if key not in _DIGESTS:
            _DIGESTS[key] = super().digest()
        return _DIGESTS[key]


_DIGESTS: dict[tuple[str, bytes], str] = {}


def scale(pixels: Tensor) -> Tensor:
    """uint8 pixels as float32 in [0, 1]; float pixels as they are."""
    return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels
