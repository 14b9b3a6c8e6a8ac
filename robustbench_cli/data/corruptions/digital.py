"""What happens to stored pictures: contrast, stretching, pixels too large, and JPEG."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor

from .resampling import between, smooth, uniform

CONTRAST = (0.75, 0.5, 0.4, 0.3, 0.15)
ELASTIC = (
    (0.0, 0.0, 0.08),
    (0.05, 0.2, 0.07),
    (0.08, 0.06, 0.06),
    (0.1, 0.04, 0.05),
    (0.1, 0.03, 0.03),
)
"""Strength and smoothness of the stretching, moving of the corners; shares of the height."""
PIXELATE = (0.95, 0.9, 0.85, 0.75, 0.65)
"""Share of the height and width."""
JPEG = (80, 65, 58, 50, 40)
"""Quality."""


def contrast(x: Tensor, severity: int, generator: Generator) -> Tensor:
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) * CONTRAST[severity - 1] + mean


def elastic_transform(x: Tensor, severity: int, generator: Generator) -> Tensor:
    """Three points move at random and take the image along; then every pixel moves a little."""
    n, _, height, width = x.shape
    side = min(height, width)
    strength, smoothness, moving = (share * side for share in ELASTIC[severity - 1])
    x = sheared(x, uniform((n, 3, 2), -moving, moving, generator))
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    fields = uniform((2, n, 1, height, width), -1, 1, generator)
    if strength:
        right, down = (strength * smooth(f, smoothness, 3.0, "symmetric")[:, 0] for f in fields)
        rows, columns = (rows + down).to(x), (columns + right).to(x)
        x = between(x, rows, columns, "symmetric")
    return x


def sheared(x: Tensor, moves: Tensor) -> Tensor:
    """The affine map of each image under which three points around the middle move by `moves`.

    moves: (N, 3, 2), right and down, in pixels.
    """
    n, _, height, width = x.shape
    middle, reach = torch.tensor([height // 2, width // 2]), min(height, width) // 3
    around = torch.tensor([[1, 1], [1, -1], [-1, -1]])
    points = (middle + reach * around).double()
    moved = torch.cat([points + moves.double(), torch.ones(n, 3, 1, dtype=torch.double)], 2)
    back = torch.linalg.solve(moved, points.expand(n, 3, 2))  # (N, 3, 2): from new places to old
    down, right = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([right, down, torch.ones_like(right)], -1).double()
    old = (places.flatten(0, 1) @ back).view(n, height, width, 2)
    return between(x, old[..., 1].to(x), old[..., 0].to(x), "mirror")


def pixelate(x: Tensor, severity: int, generator: Generator) -> Tensor:
    height, width = x.shape[2:]
    share = PIXELATE[severity - 1]
    small = max(1, int(width * share)), max(1, int(height * share))

    def work(picture: Image.Image) -> Image.Image:
        shrunk = picture.resize(small, Image.Resampling.BOX)
        return shrunk.resize((width, height), Image.Resampling.BOX)

    return _each(x, work)


def jpeg_compression(x: Tensor, severity: int, generator: Generator) -> Tensor:
    def work(picture: Image.Image) -> Image.Image:
        packed = BytesIO()
        picture.save(packed, "JPEG", quality=JPEG[severity - 1])
        return Image.open(packed)

    return _each(x, work)


def _each(x: Tensor, work: Callable[[Image.Image], Image.Image]) -> Tensor:
    """Picture by picture, in Pillow; channels that are no colours are pictures of their own."""
    n, channels, height, width = x.shape
    depth = 3 if channels == 3 else 1
    pixels = (x * 255).round().byte().cpu().view(-1, depth, height, width)
    pictures = pixels.permute(0, 2, 3, 1).numpy()
    pictures = pictures[..., 0] if depth == 1 else pictures
    done = np.stack([np.asarray(work(Image.fromarray(picture))) for picture in pictures])
    back = torch.from_numpy(done).view(-1, height, width, depth).permute(0, 3, 1, 2)
    return back.reshape(n, channels, height, width).to(x) / 255
