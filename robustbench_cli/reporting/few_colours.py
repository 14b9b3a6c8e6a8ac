"""Pictures in 256 colours: a third of the bytes, and a drawing looks the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

COLOURS = 256
EXACT = 128
"""How many of them are the picture's own, the most frequent: paper, grids, lines and bands."""
VISIBLE = 16  # of 255: by how much a pixel may be off without being seen to be
FEW = 0.02  # the share of pixels that may be off by more


def in_few_colours(picture: Image) -> Image | None:
    """An RGB picture with a palette; None where it would be seen: photographs have too many.

    Half of the palette is what occurs most, to the bit; the rest covers the range of what is left,
    for the edges of letters and for colour bars.
    """
    from PIL import Image

    pixels = np.asarray(picture, np.uint32)
    packed = (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
    codes, where, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], 1).astype(np.int16)
    frequent = np.argsort(-counts, kind="stable")[:EXACT]
    spread = picture.quantize(COLOURS - EXACT, Image.Quantize.MAXCOVERAGE).getpalette() or []
    others = np.array(spread[: 3 * (COLOURS - EXACT)], np.int16).reshape(-1, 3)
    palette = np.concatenate([colours[frequent], others])
    index, off = _nearest(colours, palette)
    if counts[off > VISIBLE].sum() >= FEW * counts.sum():
        return None
    few = Image.fromarray(index[where].reshape(packed.shape), mode="P")
    few.putpalette(palette.astype(np.uint8).tobytes())
    return few


def _nearest(
    colours: NDArray[np.int16], palette: NDArray[np.int16]
) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """(n,), which of the palette is nearest to each colour, and by how much it is off."""
    index, exact = np.empty(len(colours), np.uint8), palette.astype(float)
    square = (exact**2).sum(1)
    for i in range(0, len(colours), 4096):  # |p|² - 2 c·p, of whole numbers: exact
        apart = square - 2 * colours[i : i + 4096].astype(float) @ exact.T
        index[i : i + 4096] = apart.argmin(1)
    return index, np.abs(palette[index] - colours).max(1)
