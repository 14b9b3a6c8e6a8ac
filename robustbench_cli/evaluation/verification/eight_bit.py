"""Images as a file would hold them: pixels that are whole multiples of 1/255.

An adversarial that only exists between two such values cannot be saved, shown or sent. Inside
``eight_bit()`` the verification counts an image only if it is adversarial after rounding, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from .ball import Norm, distance, into_ball

SLACK = 1e-6
_wanted = ContextVar("eight_bit", default=False)


@contextmanager
def eight_bit(wanted: bool = True) -> Iterator[None]:
    """While open, adversarials must survive rounding to 8 bits."""
    token = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(token)


def is_wanted() -> bool:
    return _wanted.get()


def rounded(x: Tensor, images: Tensor, norm: Norm, eps: float | Tensor | None) -> Tensor:
    """`images` (N, C, H, W) with every pixel at a multiple of 1/255.

    The nearest one; for an image that would leave the ball around `x` by that, the next one
    towards `x`, which never makes a perturbation longer where `x` itself has 8 bits.
    """
    steps = images * 255
    nearest = steps.round() / 255
    if eps is None:
        return nearest
    towards = torch.where(images >= x, (steps + 1e-3).floor(), (steps - 1e-3).ceil()) / 255
    chosen = torch.where(_fits(x, nearest, norm, eps), nearest, towards)
    pulled = into_ball(x, chosen, eps, norm)  # k/255 - j/255 is off by a last digit in float32
    return torch.where(_fits(x, chosen, norm, eps), pulled, chosen)


def _fits(x: Tensor, images: Tensor, norm: Norm, eps: float | Tensor) -> Tensor:
    """(N, 1, 1, 1): inside the ball, but for the rounding of float32."""
    reach = distance(x, images, norm)
    slack = torch.as_tensor(eps).to(reach) + SLACK
    return (reach <= slack).to(images.device)[:, None, None, None]
