"""Which chains of convolutions and linear layers may these weights be?

Names and shapes tell the layers, but neither strides, paddings and pools nor the activation. What
remains possible for the size of the images is listed; `readings.py` shows training images to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import get_args

from torch import Tensor

from robustbench_cli.spec import build

from .activations import Activation
from .fitting import State, weights_alone
from .layers import Convolution, Layer, Linear, Mean, Pool, Shape, oddities
from .model import Architecture

MOST = 64
"""Geometries that are tried; of more, only the plain ones: one padding and one way to shrink."""
_DEEP = 5
"""Convolutions of which more than the plain geometries are formed; each has up to a dozen ways."""
_DEEPEST = 8
"""Convolutions, at most; nobody writes deeper ones without shortcuts, but for the known."""
_NORM = ("weight", "bias", "running_mean", "running_var")
_TOLD_APART = tuple(a for a in get_args(Activation) if a != "leaky-relu")  # from ReLU by accuracy


@dataclass(frozen=True)
class Group:
    """The tensors of one layer, under their names in the file, as a network lists them."""

    names: tuple[str, ...]
    shape: tuple[int, ...]  # of the weights
    bias: bool
    norm: bool = False


def groups(state: State) -> list[Group] | None:
    """The layers of a chain, in order, or None where these are not the weights of one.

    In the order of the file; or, where that is none, in that of the numbers in their names: a
    .safetensors file is sorted as text, 10 before 2.
    """
    natural = dict(sorted(state.items(), key=lambda item: _natural(item[0])))
    return _groups(state) or _groups(natural)


def in_order(state: State) -> dict[str, Tensor]:
    """The tensors of a chain as a network lists them, and the others; as given where it is none."""
    names = [name for group in groups(state) or () for name in group.names]
    return {name: state[name] for name in [*names, *(n for n in state if n not in names)]}


def chains(state: State, shape: Shape, classes: int) -> list[Architecture]:
    """Every chain that these weights may be, for (channels, height, width) images.

    The least unusual come first. Empty where they are no chain, or where too many are possible.
    """
    found = groups(state)
    if not found or len(found[-1].shape) != 2 or found[-1].shape[0] != classes:
        return []
    if not found[-1].bias or found[-1].norm:
        return []
    convolutions = [group for group in found if len(group.shape) == 4]
    if convolutions and convolutions[0].shape[1] != shape[0]:
        return []
    linear = found[len(convolutions) :]
    behind = [str(Linear(g.shape[0], g.bias, g.norm)) for g in linear[:-1]]
    geometries = _geometries(convolutions, shape, linear[0].shape[1])
    return [
        build(Architecture, f"chain:{'-'.join([*map(str, way), *behind])},activation={kind}")
        for kind in _TOLD_APART
        for way in geometries
        if len(found) > 1
    ]


def _groups(state: State) -> list[Group] | None:
    by_parent: dict[str, dict[str, Tensor]] = {}
    for name, value in weights_alone(state).items():
        parent, _, leaf = name.rpartition(".")
        by_parent.setdefault(parent, {})[leaf] = value
    found: list[Group] = []
    for parent, held in by_parent.items():
        names = tuple(f"{parent}.{leaf}".lstrip(".") for leaf in _NORM if leaf in held)
        if {*held} == {*_NORM}:
            width = {tuple(value.shape) for value in held.values()}
            if not found or found[-1].norm or width != {found[-1].shape[:1]}:
                return None
            found[-1] = replace(found[-1], names=found[-1].names + names, norm=True)
        elif "weight" in held and {*held} <= {"weight", "bias"}:
            shape, bias = tuple(held["weight"].shape), "bias" in held
            if bias and tuple(held["bias"].shape) != shape[:1]:
                return None
            found.append(Group(names, shape, bias))
        else:
            return None
    return found if found and _chained(found) else None


def _chained(found: Sequence[Group]) -> bool:
    """Square convolutions, then linear layers, of which each takes what the one before gives."""
    kinds = [len(group.shape) for group in found]
    square = all(g.shape[2] == g.shape[3] for g in found if len(g.shape) == 4)
    return (
        {*kinds} <= {2, 4}
        and kinds == sorted(kinds, reverse=True)
        and square
        and all(
            after.shape[1] == before.shape[0]
            for before, after in pairwise(found)
            if len(before.shape) == len(after.shape)
        )
    )


def _geometries(found: Sequence[Group], shape: Shape, features: int) -> list[list[Layer]]:
    """Every way from an image of this shape through the convolutions to so many features."""
    if len(found) > _DEEPEST:
        return []
    deep = len(found) > _DEEP
    ways: list[tuple[list[Layer], Shape]] = [([], shape)]
    for group in found:
        ways = [
            (way + more, left)
            for way, before in ways
            for more in _ways(group, before)
            for left in [_leaves(more, before)]
            if min(left) > 0 and (not deep or not oddities(way + more))
        ]
    whole = [way for way, (channels, *side) in ways if channels * side[0] * side[1] == features]
    if found and found[-1].shape[0] == features:  # or one that pools what is left
        whole += [[*way, Mean()] for way, left in ways if left[1:] != (1, 1)]
    if len(whole) > MOST:
        whole = [way for way in whole if not oddities(way)]
    return sorted(whole, key=oddities) if len(whole) <= MOST else []


def _ways(group: Group, shape: Shape) -> Iterator[list[Layer]]:
    """One convolution: its padding, and a stride or a pool behind it."""
    channels, _, kernel, _ = group.shape
    same = (kernel - 1) // 2
    for stride, pool in ((1, None), (2, None), (1, "max"), (1, "avg")):
        needed = max(0, (-(-shape[1] // stride) - 1) * stride + kernel - shape[1])  # TensorFlow's
        for before, after in dict.fromkeys([(same, same), (0, 0), (needed // 2, -(-needed // 2))]):
            each = Convolution(channels, kernel, stride, before, after, group.bias, group.norm)
            yield [each, Pool(pool, 2)] if pool else [each]


def _leaves(layers: Sequence[Layer], shape: Shape) -> Shape:
    for layer in layers:
        shape = layer.leaves(shape)
    return shape


def _natural(name: str) -> list[tuple[int, str]]:
    """``2`` before ``10``; weights before biases, as a network lists them."""
    *parents, _ = name.split(".")
    parts = [part for each in parents for part in re.split(r"(\d+)", each)]
    return [(int(p), "") if p.isdigit() else (-1, p) for p in parts]
