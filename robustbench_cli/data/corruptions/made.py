"""Test images that are corrupted here, as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError

from .corruption import KINDS, MADE, SEVERITIES, corrupt

BLOCK = 250
"""Images that share a generator: what is drawn depends on the seed alone, not on batches."""
_SMALLEST = 8


@dataclass(frozen=True)
class Made:
    """The fourteen corruptions that can be made of `images`; `names`: some of them."""

    images: Images
    names: Sequence[str] = tuple(MADE)
    seed: int = 0

    def __post_init__(self) -> None:
        side = min(self.images.shape[1:])
        if side < _SMALLEST and any(KINDS[name] != "noise" for name in self.names):
            raise UsageError(
                f"corruptions are for pictures of {_SMALLEST}x{_SMALLEST} pixels and more, and "
                f"these have {side} across; type -n corruptions:only=noise"
            )

    @property
    def cells(self) -> tuple[tuple[str, int], ...]:
        return tuple(product(self.names, SEVERITIES))

    def blocks(self, name: str, severity: int) -> Iterator[Images]:
        for start in range(0, len(self.images), BLOCK):
            part = self.images[start : start + BLOCK]
            drawn = [self.seed, list(KINDS).index(name), severity, start]
            seed = int(np.random.SeedSequence(drawn).generate_state(1)[0])
            generator = torch.Generator().manual_seed(seed)
            pixels = corrupt(part.x, name, severity, generator)
            yield Images(pixels, part.labels, part.classes, part.folders)
