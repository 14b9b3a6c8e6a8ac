"""What a file of weights does not say and its shapes do not tell: activations, padding, its input.

A network of ELUs has the weights of one of ReLUs, and one that was trained on padded or transposed
images may have those of one that was not. Each such change is tried on the network that the weights
fit; where one makes clearly fewer mistakes, the network is another than the one that was found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robustbench_cli.data.dataset import Images

from .activations import ACTIVATIONS
from .guessing import Right, near_chance, surpasses
from .model import Model, Normalise

_BATCH = 256
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "LeakyReLU(0.1)": partial(nn.LeakyReLU, 0.1),
    "LeakyReLU(0.2)": partial(nn.LeakyReLU, 0.2),
    **{kind.__name__: kind for kind in ACTIVATIONS.values() if kind not in (nn.ReLU, nn.LeakyReLU)},
}
_Padding = Literal["circular", "reflect", "replicate"]
_STAGES = {64: 4, 256: 0, 1024: 0}
"""Probes after which a change sees no more that is not better, but for so many by chance."""


@contextmanager
def _replaced(
    model: Model, kind: type[nn.Module], other: Callable[[], nn.Module]
) -> Iterator[bool]:
    """Another module in the place of each of this kind; whether there is any."""
    places = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, kind)
    ]
    for parent, name, _ in places:
        setattr(parent, name, other())
    try:
        yield bool(places)
    finally:
        for parent, name, child in places:
            setattr(parent, name, child)


@contextmanager
def _scaled(model: Model) -> Iterator[bool]:
    """Pixels reach it in 0..255, and not normalised."""
    normalise, channels = model.normalise, model.normalise.mean.numel()
    model.normalise = Normalise([0.0] * channels, [1 / 255] * channels).to(normalise.mean.device)
    try:
        yield True
    finally:
        model.normalise = normalise


@contextmanager
def _padded(model: Model, mode: _Padding) -> Iterator[bool]:
    """Convolutions that pad with zeros pad otherwise."""
    changed = [
        m
        for m in model.modules()
        if isinstance(m, nn.Conv2d) and m.padding_mode == "zeros" and m.padding != (0, 0)
    ]
    for each in changed:
        each.padding_mode = mode
    try:
        yield bool(changed)
    finally:
        for each in changed:
            each.padding_mode = "zeros"


class _PixelByPixel(nn.Module):
    """(N, C, H, W) -> (N, H W C): as networks that came out of TensorFlow or JAX flatten."""

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(1, -1).flatten(1)


_AS_IS = partial(nullcontext, True)


class Change(NamedTuple):
    """How a network would be then, how to make it so for a while, and what it is shown."""

    text: str
    made: Callable[[], AbstractContextManager[Any]]
    shown: Callable[[Tensor], Tensor] = lambda x: x
    option: str = ""  # to type, where one says so


def _changes(model: Model, channels: int, side: int) -> Iterator[Change]:
    for name, other in _ACTIVATIONS.items():
        yield Change(f"{name} instead of ReLU", partial(_replaced, model, nn.ReLU, other))
    for mode in get_args(_Padding):
        yield Change(f"{mode} padding", partial(_padded, model, mode))
    flattened = partial(_replaced, model, nn.Flatten, _PixelByPixel)
    yield Change("channels last where they are flattened", flattened)
    yield Change("rows and columns exchanged", _AS_IS, lambda x: x.mT)
    yield Change("bright and dark exchanged", _AS_IS, lambda x: 1 - x)
    if channels == 3:
        yield Change("red and blue exchanged", _AS_IS, lambda x: x.flip(1))
    if side < 32:
        ahead = (32 - side) // 2
        more = [ahead, 32 - side - ahead] * 2
        yield Change("images padded to 32x32", _AS_IS, lambda x: F.pad(x, more))
    if side != 32:
        resize = partial(F.interpolate, size=(32, 32), mode="bilinear", antialias=True)
        yield Change("images resized to 32x32", _AS_IS, resize)


def _bytes(model: Model) -> Change:
    return Change("pixels in 0..255", partial(_scaled, model), option="--normalise 0:1/255")


@torch.no_grad()
def misfit(model: Model, images: Images, right: Right, *, classes: int, scales: bool) -> str:
    """A change under which the network makes clearly fewer mistakes, with both shares; or empty.

    Most changes are seen to be none after a few images, so that this costs little.

    Args:
        model: in eval mode.
        right: whether it is right on each of `images` as it is.
        scales: whether the scale of the pixels was guessed as well.
    """
    best, found = right, None
    channels, _, side = images.shape
    for change in [*([_bytes(model)] if scales else []), *_changes(model, channels, side)]:
        other = _tried(model, images[: len(right)], change, right)
        if other is None or near_chance(other, classes) or other.mean() <= best.mean():
            continue
        if surpasses(other, right):
            best, found = other, change
    if found is None:
        return ""
    typed = found.option or "the name of your own network, --model my_lab.nets:MyNet"
    more = f"{best.mean():.1%} are right with {found.text}, not {right.mean():.1%}"
    return f"{more}; type {typed}"


def _tried(model: Model, images: Images, change: Change, right: Right) -> Right | None:
    """None where the network cannot be changed so, or is no better on the first so many images."""
    found: list[Right] = []
    with change.made() as changed:
        if not changed:
            return None
        for start, end in pairwise([0, *(n for n in _STAGES if n < len(right)), len(right)]):
            for first in range(start, end, _BATCH):
                some = images[first : min(first + _BATCH, end)]
                try:
                    logits = model(change.shown(some.x))
                except (RuntimeError, ValueError):  # shapes that do not fit, too wide a padding
                    return None
                found.append((logits.argmax(1) == some.labels).cpu().numpy())
            if sum(each.sum() for each in found) + _STAGES.get(end, 0) <= right[:end].sum():
                return None
    return np.concatenate(found)
