"""Bare arrays become labelled images: whatever the dtype, the range and the order of the axes.

Nothing is guessed in silence: what can be meant in two ways is asked for, in one line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from robustbench_cli.errors import UsageError

from .holding import images_of
from .images import Images, Streamed
from .memory import fits_memory
from .sources import Rows

Layout = Literal["auto", "nchw", "nhwc"]
Array = NDArray[np.generic]
MOST_CLASSES = 100_000
_CHANNELS = (1, 3)
_TWO_TONES = (
    "as whole numbers, so they may mean black and white or nearly black; "
    "save them as float32 in [0, 1], or multiplied by 255"
)
_ROWS = 4096  # images looked at in one go, so that conversions need little memory


def to_images(x: Array, y: Array, name: str, layout: Layout = "auto") -> Images:
    """Pixels and labels as a set holds them; `name` says in messages whose they are.

    x: (N, C, H, W), (N, H, W, C), or grey (N, H, W). uint8 and other whole numbers are 0..255,
    also as floats; floats are in [0, 1]; booleans are black and white. Floats that are all whole
    255ths become uint8, which is the same to the bit. y: (N,), (N, 1), or one-hot (N, classes).

    Raises:
        UsageError: what they mean cannot be told, or they are no images or no labels.
    """
    x = channels_first(x if isinstance(x, np.memmap) else np.asarray(x), name, layout)
    labels = to_labels(np.asarray(y), name)
    if len(x) != len(labels):
        raise UsageError(f"{name}: {len(x)} images and {len(labels)} labels; expected as many")
    if not len(x):
        raise UsageError(f"{name} holds no image")
    if (rows := rows_of(x)) and not fits_memory(x.nbytes):
        _refuse_two_tones(rows, name)
        return images_of(rows, torch.from_numpy(labels), str(rows.path))
    return Images(torch.from_numpy(to_pixels(x, name)), torch.from_numpy(labels))


def rows_of(x: Array) -> Rows | None:
    """Where the images (N, C, H, W) of a mapped uint8 array lie in its file, if C-ordered."""
    if not isinstance(x, np.memmap) or x.dtype != np.uint8 or x.filename is None or x.ndim != 4:
        return None
    for last, view in ((False, x), (True, np.moveaxis(x, 1, 3))):
        if view.flags.c_contiguous:
            a, b, c = view.shape[1:]
            return Rows(Path(str(x.filename)), x.offset, len(x), (a, b, c), last)
    return None


def _refuse_two_tones(rows: Rows, name: str) -> None:
    """As `to_pixels` does; ends at the first block that shows that pixels are 0..255."""
    for block in Streamed(rows, torch.zeros(len(rows), dtype=torch.long)).blocks():
        if int(block.pixels.max()) > 1:
            return
    raise UsageError(f"{name}: pixels go from 0 to 1 {_TWO_TONES}")


def channels_first(x: Array, name: str, layout: Layout = "auto") -> Array:
    """A view of shape (N, C, H, W)."""
    if layout not in get_args(Layout):
        raise UsageError(f"no layout {layout!r}; type {', '.join(get_args(Layout))}")
    shape = "x".join(map(str, x.shape)) or "a single number"
    if x.ndim == 3:
        return x[:, None]
    if x.ndim != 4:
        raise UsageError(
            f"{name}: images of shape {shape}; expected (N, C, H, W), (N, H, W, C) or (N, H, W)"
        )
    if layout == "auto":
        first, last = (x.shape[axis] in _CHANNELS for axis in (1, 3))
        if first == last:
            why = "both fit" if first else "neither has 1 or 3 channels"
            raise UsageError(
                f"{name}: images of shape {shape} are (N, C, H, W) or (N, H, W, C), {why}; "
                "say which: layout=nchw or layout=nhwc"
            )
        layout = "nchw" if first else "nhwc"
    return x if layout == "nchw" else np.moveaxis(x, 3, 1)


def to_pixels(x: Array, name: str) -> NDArray[np.uint8] | NDArray[np.float32]:
    """A copy: uint8 in 0..255, or float32 in [0, 1]; of any shape."""
    if x.dtype == bool:
        return np.ascontiguousarray(x, dtype=np.uint8) * np.uint8(255)
    if x.dtype.kind not in "uif":
        raise UsageError(f"{name}: images of {x.dtype}, expected uint8, or floats in [0, 1]")
    low, high = _range(x)
    said = f"{name}: pixels go from {low:.4g} to {high:.4g}"
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UsageError(f"{name}: some pixels are not finite")
    if low < 0:
        raise UsageError(
            f"{said}, expected uint8, or floats in [0, 1]; normalisation belongs to the network"
        )
    if x.dtype.kind != "f" and high == 1:
        raise UsageError(f"{said} {_TWO_TONES}")
    if high > 255 or (high > 1 and not _whole(x)):
        raise UsageError(
            f"{said}, expected uint8, or floats in [0, 1]; divide them by {_scale(high)}"
        )
    if high > 1:
        return np.array(x, dtype=np.uint8, order="C")
    return _exact(x)


def to_labels(y: Array, name: str) -> NDArray[np.int64]:
    """(N,), numbers of classes from 0."""
    if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "uifb":
        if not (((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all()):
            raise UsageError(f"{name}: labels of {len(y)}x{y.shape[1]} that are not one-hot")
        y = y.argmax(1)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1 or y.dtype.kind not in "uif" or not np.array_equal(y, np.floor(y)):
        shape = "x".join(map(str, y.shape)) or "a single value"
        raise UsageError(
            f"{name}: labels of {y.dtype}, shape {shape}; expected N numbers of classes, from 0"
        )
    if len(y) and not 0 <= y.min() <= y.max() < MOST_CLASSES:
        raise UsageError(
            f"{name}: labels go from {y.min():.6g} to {y.max():.6g}; expected 0 to "
            f"{MOST_CLASSES - 1} at most"
        )
    return y.astype(np.int64)


def count_classes(parts: list[Images], name: str) -> int:
    """One more than the largest label.

    Raises:
        UsageError: one class only, or the labels seem to begin at 1.
    """
    labels = torch.cat([part.labels for part in parts])
    low, high = int(labels.min()), int(labels.max())
    if low == high:
        raise UsageError(
            f"{name}: all images are of class {low}; say how many classes there are: classes=10"
        )
    if low == 1:
        raise UsageError(
            f"{name}: no image is of class 0, so labels seem to begin at 1; subtract 1, or say "
            f"how many classes there are: classes={high + 1}"
        )
    return high + 1


def _range(x: Array) -> tuple[float, float]:
    if not x.size:
        return 0.0, 0.0
    pieces = [x[i : i + _ROWS] for i in range(0, len(x), _ROWS)]
    least, most = [p.min() for p in pieces], [p.max() for p in pieces]
    return float(np.min(least)), float(np.max(most))  # NaN stays NaN


def _whole(x: Array) -> bool:
    return x.dtype.kind != "f" or all(
        bool((x[i : i + _ROWS] == np.floor(x[i : i + _ROWS])).all())
        for i in range(0, len(x), _ROWS)
    )


def _exact(x: Array) -> NDArray[np.uint8] | NDArray[np.float32]:
    """uint8 where that is the same to the bit, float32 otherwise."""
    floats = np.array(x, dtype=np.float32, order="C")
    eight = np.empty(floats.shape, dtype=np.uint8)
    for i in range(0, len(floats), _ROWS):
        piece = floats[i : i + _ROWS]
        eight[i : i + _ROWS] = np.rint(piece * np.float32(255))
        if not np.array_equal(eight[i : i + _ROWS].astype(np.float32) / np.float32(255), piece):
            return floats
    return (
        floats if eight.max(initial=0) == 1 else eight
    )  # whole numbers up to 1 may mean two things


def _scale(high: float) -> int:
    """The largest value that such pixels usually have."""
    return next((most for most in (255, 1023, 4095, 65535) if high <= most), 2**32 - 1)
