"""Which networks may these weights belong to? Those that they fit, known ones and chains."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.spec import build, find, names

from .chains import chains
from .fitting import Match, State, compare
from .model import Architecture


def fitting(
    state: State, shape: tuple[int, int, int], classes: int, *, shown: bool = True
) -> list[Architecture]:
    """The architectures that `state` fits, for (channels, height, width) images; at least one.

    Every file of the architectures' folder is tried, with the parameters that its class lists as
    ``variants`` (spec texts; without that, the defaults). Nothing is allocated: the networks are
    built on the meta device. Those that fit by name beat those that fit by order alone. Where the
    weights are convolutions and linear layers one after the other, the chains that they may be come
    after the known networks. They are many, and images tell them apart: where none will be `shown`,
    only what fits no known network is taken for a chain.

    Raises:
        RunError: none fits.
    """
    by_name: list[Architecture] = []
    by_order: list[Architecture] = []
    for candidate in candidates():
        network = _outline(str(candidate), shape, classes)
        if network is None:
            continue
        match = compare(state, network)
        if isinstance(match, Match):
            (by_name if "by name" in match.how else by_order).append(candidate)
    fits = by_name or by_order
    if shown or not fits:
        fits = [*fits, *chains(state, shape, classes)]
    if fits:
        return fits
    channels, height, width = shape
    raise RunError(
        f"the weights ({_summary(state)}) fit no known network for {channels}x{height}x{width} "
        f"images and {classes} classes; check --data, or name the network: --model NAME "
        "(robustmix --list models), timm:NAME, torchvision:NAME or my_lab.nets:MyNet"
    )


class _Undrawn(TorchFunctionMode):
    """No initial weights are drawn: on the meta device there are none, and to ask takes long."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if args and (func in _DRAWS or getattr(func, "__module__", "") == nn.init.__name__):
            return args[0]
        return func(*args, **(kwargs or {}))


_DRAWS = (Tensor.normal_, Tensor.uniform_)


@cache
def _outline(spec: str, shape: tuple[int, int, int], classes: int) -> nn.Module | None:
    """The network on the meta device, or None where it is not for images of this size."""
    try:
        with torch.device("meta"), _Undrawn():
            return build(Architecture, spec).build(shape, classes)
    except UsageError:
        return None


def candidates() -> Iterator[Architecture]:
    """Every known architecture with each of its usual settings."""
    for name in names(Architecture.room):
        cls = find(Architecture, name)
        for setting in cls.variants:
            yield build(Architecture, f"{name}:{setting}" if setting else name)


def _summary(state: State) -> str:
    shapes = [f"{name} {'x'.join(map(str, v.shape))}" for name, v in state.items() if v.dim() > 1]
    ends = " ... ".join([shapes[0], shapes[-1]] if len(shapes) > 1 else shapes) or "no matrices"
    return f"{len(state)} tensors: {ends}"
