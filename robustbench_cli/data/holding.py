"""Whether a part of a data set is held whole, or read in parts whenever it is used."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from .images import Images, Streamed
from .memory import VARIABLE, fits_memory
from .once import warn_once
from .sources import Source

_log = logging.getLogger(__name__)


def images_of(
    source: Source,
    labels: Tensor,
    name: str,
    classes: Sequence[str] = (),
    folders: Sequence[str] = (),
) -> Images:
    """The images of a source: held if they fit, read in parts otherwise, which is said once.

    What comes of them is the same; reading in parts costs time, and memory for a batch or two.
    `name` is what the data set is called then.
    """
    size = len(source) * prod(source.shape) * source.dtype.itemsize
    if fits_memory(size):
        pixels = source.read(torch.arange(len(source)))
        return Images(pixels, labels, tuple(classes), tuple(folders))
    warn_once(
        *(_log, name),
        "%s: %d images of %.1f GiB are read in parts, as they are used; %s=%dG would hold them",
        *(name, len(source), size / 2**30, VARIABLE, -(-size // 2**30)),
    )
    return Streamed(source, labels, classes, folders)
