"""The layers of a chain, as text and as modules: ``16k4s2p1``, ``max2``, ``100``.

Text and object are one to one: ``str(read_layer(text)) == text``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import nn

from robustbench_cli.errors import UsageError

Shape = tuple[int, int, int]
Make = Callable[[], nn.Module]

_CONVOLUTION = re.compile(r"(\d{1,5})k(\d{1,2})(?:s(\d))?(?:p(\d{1,2})(?:\.(\d{1,2}))?)?(w?)(n?)")
_LINEAR = re.compile(r"(\d{1,6})(w?)(n?)")
_POOL = re.compile(r"(max|avg)([2-9])")
_POOLS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


class Convolution(NamedTuple):
    """Square; pads `before` above and left, `after` below and right."""

    channels: int
    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    bias: bool = True
    norm: bool = False

    def __str__(self) -> str:
        stride = f"s{self.stride}" if self.stride != 1 else ""
        padding = f"p{self.before}" if self.before or self.after else ""
        padding += f".{self.after}" if self.after != self.before else ""
        return f"{self.channels}k{self.kernel}{stride}{padding}{_ends(self)}"

    def left(self, side: int) -> int:
        """Pixels that are left of a side; none where the kernel is larger."""
        room = side + self.before + self.after - self.kernel
        return room // self.stride + 1 if room >= 0 else 0

    def leaves(self, shape: Shape) -> Shape:
        return self.channels, self.left(shape[1]), self.left(shape[2])

    def modules(self, shape: Shape, active: Make) -> Mapping[str, nn.Module]:
        ahead = self.before if self.before == self.after else 0
        made: dict[str, nn.Module] = {}
        if not ahead and self.after:
            made["pad"] = nn.ZeroPad2d((self.before, self.after) * 2)
        make = nn.Conv2d(shape[0], self.channels, self.kernel, self.stride, ahead, bias=self.bias)
        made["conv"] = make
        if self.norm:
            made["norm"] = nn.BatchNorm2d(self.channels)
        return {**made, "active": active()}


class Linear(NamedTuple):
    units: int
    bias: bool = True
    norm: bool = False

    def __str__(self) -> str:
        return f"{self.units}{_ends(self)}"

    def leaves(self, shape: Shape) -> Shape:
        return self.units, 1, 1

    def modules(self, shape: Shape, active: Make) -> Mapping[str, nn.Module]:
        made: dict[str, nn.Module] = {}
        inputs = shape[0] * shape[1] * shape[2]
        made["linear"] = nn.Linear(inputs, self.units, bias=self.bias)
        if self.norm:
            made["norm"] = nn.BatchNorm1d(self.units)
        return {**made, "active": active()}


class Pool(NamedTuple):
    kind: str
    size: int

    def __str__(self) -> str:
        return f"{self.kind}{self.size}"

    def left(self, side: int) -> int:
        return side // self.size

    def leaves(self, shape: Shape) -> Shape:
        return shape[0], self.left(shape[1]), self.left(shape[2])

    def modules(self, shape: Shape, active: Make) -> Mapping[str, nn.Module]:
        return {"pool": _POOLS[self.kind](self.size)}


class Mean(NamedTuple):
    """Over all pixels."""

    def __str__(self) -> str:
        return "mean"

    def leaves(self, shape: Shape) -> Shape:
        return shape[0], 1, 1

    def modules(self, shape: Shape, active: Make) -> Mapping[str, nn.Module]:
        return {"pool": nn.AdaptiveAvgPool2d(1)}


Layer = Convolution | Linear | Pool | Mean


def read_layer(text: str) -> Layer:
    """
    Raises:
        UsageError: no layer.
    """
    if text == "mean":
        return Mean()
    if found := _POOL.fullmatch(text):
        return Pool(found[1], int(found[2]))
    if found := _LINEAR.fullmatch(text):
        return Linear(int(found[1]), not found[2], bool(found[3]))
    if found := _CONVOLUTION.fullmatch(text):
        channels, kernel, stride, before, after = (int(n or 0) for n in found.groups()[:5])
        after = after if found[5] else before
        bias, norm = not found[6], bool(found[7])
        return Convolution(channels, kernel, stride or 1, before, after, bias, norm)
    raise UsageError(
        f"no layer {text!r}; write 16k4s2p1 (channels, kernel, stride, padding), max2, avg2, mean, "
        "or units such as 100; n behind it: batch norm, w: no biases"
    )


def oddities(layers: Sequence[Layer]) -> int:
    """What about the geometry is unusual: paddings that differ, several things that shrink it."""
    convolutions = [layer for layer in layers if isinstance(layer, Convolution)]
    pads = {(c.before != c.after, bool(c.before)) for c in convolutions if c.kernel > 1}
    shrink = {"stride" for c in convolutions if c.stride > 1}
    shrink |= {layer.kind for layer in layers if isinstance(layer, Pool)}
    return (len(pads) > 1 or (True, True) in pads or (True, False) in pads) + (len(shrink) > 1)


def _ends(layer: Convolution | Linear) -> str:
    return "w" * (not layer.bias) + "n" * layer.norm
