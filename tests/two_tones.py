"""Dark and bright pictures of two pixels, and linear networks for them whose every number is known.

Pixels are about 0.2 (class 0) or 0.8 (class 1), half of each: mean 0.5, deviation 0.3. A network of
threshold t says 1 where the mean of what it sees exceeds t; in pixels, that is at mean + std·t of
its normalisation. At eps it withstands on the classes that are further than eps from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from robustbench_cli.data.dataset import Data, Dataset, Images, open_data

SPEC = "two_tones:TwoTones"
MODEL = "mlp:depth=0"


@dataclass(kw_only=True)
class TwoTones(Dataset):
    def load(self, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
        return _images(2000, 0), _images(100, 1), ("dark", "bright")


def _images(n: int, seed: int) -> Images:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    noise = torch.randint(-2, 3, (n, 1, 1, 2), generator=generator)
    pixels = 51 + 153 * labels[:, None, None, None] + noise
    return Images(pixels.to(torch.uint8), labels)


def two_tones() -> Data:
    return open_data(TwoTones(), Path(), validation=0.0)


def weights(path: Path, threshold: float, *, swapped: bool = False) -> Path:
    """A file with the network of this threshold, which says nothing of its normalisation."""
    rows = torch.tensor([[-10.0, -10.0], [10.0, 10.0]])
    bias = torch.tensor([20.0 * threshold, -20.0 * threshold])
    order = [1, 0] if swapped else [0, 1]
    torch.save({"head.weight": rows[order], "head.bias": bias[order]}, path)
    return path
