"""How many images go through the network at once; fewer where the memory is too small."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from robustbench_cli.device import is_out_of_memory
from robustbench_cli.errors import DeviceMemoryError, UsageError
from robustbench_cli.runs.parts import CHUNK

from .memory import fitting

T = TypeVar("T")

WIDER = 4
"""Without a gradient, so many times the images take no more memory than with one."""

_PIXELS = {"cpu": 2**17, "cuda": 2**24}  # values per batch


class Batches:
    """Splits work into batches of `size`, and halves it when a GPU runs out of memory.

    `notes` says when that happened.
    """

    def __init__(self, size: int | None, shape: tuple[int, int, int], device: torch.device) -> None:
        """`size` None: chosen from the `shape` of an image and the device."""
        if size is not None and size < 1:
            raise UsageError(f"--batch-size {size} is too small; expected 1 or more")
        channels, height, width = shape
        few = _PIXELS.get(device.type, 2**20) // (channels * height * width)
        self.size = size or min(max(few, 16), 512)
        self._measures = size is None and device.type == "cuda"
        self._guessed = size is None and not self._measures
        self.notes: list[str] = []

    def fit(self, network: nn.Module, x: Tensor) -> None:
        """On a GPU, and where nobody chose: as many as its memory holds, going by images `x`."""
        if self._measures:
            with suppress(RuntimeError):  # too few fit, or the network has no gradient
                self.size = fitting(network, x)

    @property
    def chunk(self) -> int | None:
        """Samples to be attacked together, so that a batch that was measured is full."""
        return max(self.size, CHUNK) if self._measures else None

    def wider(self) -> Batches:
        """For work that keeps no gradient, and whose batches are soon nearly empty: what is left
        of several costs as many calls as what is left of one. The same where somebody chose the
        size, or it was measured.
        """
        if not self._guessed:
            return self
        found = copy(self)  # with the same notes
        found.size = WIDER * self.size
        return found

    def map(self, n: int, work: Callable[[slice], T]) -> list[T]:
        """``work(slice)`` for consecutive parts of 0..n; a part that did not fit is tried again.

        Raises:
            DeviceMemoryError: not even one image fits.
        """
        done: list[T] = []
        start = 0
        while start < n:
            part = slice(start, min(start + self.size, n))
            try:
                done.append(work(part))
            except RuntimeError as e:
                if not is_out_of_memory(e):
                    raise
                fits = False  # leave the handler first: the error keeps the batch's tensors alive
            else:
                fits = True
            if fits:
                start = part.stop
            else:
                self.shrink(part.stop - part.start)
        return done

    def shrink(self, tried: int) -> int:
        """The size to go on with after `tried` images did not fit."""
        if tried == 1:
            raise DeviceMemoryError(
                "out of memory with a single image; use a smaller model or --device cpu"
            )
        self.size = tried // 2
        torch.cuda.empty_cache()  # does nothing where there is no CUDA
        self.notes.append(f"out of memory with {tried} images at once; went on with {self.size}")
        return self.size
