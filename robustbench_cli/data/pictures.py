"""Encoded pictures: what is wrong with a file is one line; sizes are looked at before pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robustbench_cli.errors import RunError

_DAMAGE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
_FORMATS = ("PNG", "JPEG", "BMP", "PPM", "TIFF", "WEBP", "GIF")
"""Whatever the name says. Pillow knows more, of which PostScript is a program that it would run."""
_PIXELS = 2**26
"""Of a picture that is resized by its shorter side, at most: 4096 by 16,384."""


def read_picture(
    file: str | Path | bytes,
    name: str,
    *,
    grey: bool = False,
    size: tuple[int, int] | None = None,
) -> Image.Image:
    """One picture, 8 bits a channel, in red, green and blue, or grey.

    `name` is what messages call it; `size` (height, width) is the only one taken, and is looked at
    before anything is decoded.

    Raises:
        RunError: damaged, no picture, of another size, or of more than 8 bits per channel.
    """
    try:
        source = io.BytesIO(file) if isinstance(file, bytes) else file
        with Image.open(source, formats=_FORMATS) as opened:
            if size and opened.size != size[::-1]:
                found = f"{opened.height}x{opened.width}"
                raise RunError(f"{name} is {found}; expected {size[0]}x{size[1]}")
            if opened.mode[0] in "IF":  # Pillow would clip these at 255
                raise RunError(f"{name} has more than 8 bits per channel; save it with 8")
            return opened.convert("L" if grey else "RGB")
    except _DAMAGE as e:
        raise RunError(f"cannot read the picture {name}; it is damaged or no picture") from e


def to_tensor(picture: Image.Image) -> Tensor:
    """(C, height, width), uint8."""
    values = np.array(picture)
    return torch.from_numpy(values).view(*values.shape[:2], -1).permute(2, 0, 1)


def shrunk(picture: Image.Image, side: int, resample: Image.Resampling, name: str) -> Image.Image:
    """With a shorter side of so many pixels, and the same proportions.

    As torchvision's Resize and timm, the longer side is rounded down.

    Raises:
        RunError: a strip, which would become a picture of more than :data:`_PIXELS`.
    """
    shorter, longer = sorted(picture.size)
    if shorter == side:
        return picture
    other = int(side * longer / shorter)
    if side * other > _PIXELS:
        raise RunError(
            f"{name} is {picture.height}x{picture.width}, too long to be resized to {side} pixels "
            "of its shorter side; leave it out"
        )
    wide = picture.width > picture.height
    return picture.resize((other, side) if wide else (side, other), resample)


def centred(picture: Image.Image, height: int, width: int) -> Image.Image:
    """The middle, as torchvision's CenterCrop has it: half a pixel goes to the even side.

    Around a picture that is too small there is black. Its padding is rounded down, and its crop to
    even; both are one cut here, so that a strip never becomes larger.
    """
    left, top = (
        round((has - wanted) / 2) if has >= wanted else -((wanted - has) // 2)
        for has, wanted in zip(picture.size, (width, height), strict=True)
    )
    return picture.crop((left, top, left + width, top + height))
