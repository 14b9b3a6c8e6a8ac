"""A second device without any hardware, so that code for GPUs can be proven where there is none.

    with pretend_device() as waits:
        x = torch.rand(4, device=DEVICE)
        x + torch.rand(4)       # DeviceFault, as on a GPU
        float(x.sum())          # waits["scalar"] == 1

A tensor on it lies on PyTorch's ``meta`` device for whoever asks, and holds a real CPU tensor that
does the work. Random numbers come from the CPU's generator, so that results are those of the CPU,
to the bit where the same operations are called.

What a GPU refuses is refused: to compute with plain CPU tensors (numbers, and tensors of no
dimension, are welcome), to index a CPU tensor by one on the device, `numpy()`. What makes a host
wait for a GPU is counted, by kind; see `WAITS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")

WAITS = {
    "scalar": "one value is read: item(), bool(), float(), torch.equal",
    "download": "a tensor is copied to the host: cpu(), tolist()",
    "upload": "a tensor is copied to the device, and not asynchronously",
    "count": "the shape of a result depends on values: nonzero, indexing by booleans",
}

_ATEN = torch.ops.aten
_COPIES = {_ATEN._to_copy.default, _ATEN.copy_.default}
_READS = {_ATEN._local_scalar_dense.default, _ATEN.equal.default, _ATEN.is_nonzero.default}
_INDEXING = {
    _ATEN.index.Tensor,
    _ATEN.index_put.default,
    _ATEN.index_put_.default,
    _ATEN._index_put_impl_.default,
}
_COUNTING = {
    _ATEN.nonzero.default,
    _ATEN.masked_select.default,
    _ATEN._unique2.default,
    _ATEN.unique_dim.default,
    _ATEN.unique_consecutive.default,
    _ATEN.repeat_interleave.Tensor,
    _ATEN.bincount.default,
}


class DeviceFault(RuntimeError):
    """What a GPU would have refused."""


class OnDevice(Tensor):
    """A tensor of the pretended device; `host` does the work."""

    host: Tensor
    waits: ClassVar[Counter[str]] = Counter()

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, host: Tensor) -> OnDevice:
        made = Tensor._make_wrapper_subclass(
            cls, host.size(), strides=host.stride(), dtype=host.dtype, device=DEVICE
        )
        made.host = host
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})

    def __repr__(self, **options: Any) -> str:
        return f"OnDevice({self.host!r})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.host.detach().clone().__reduce_ex__(protocol)

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, **options: Any) -> Any:
        raise TypeError("a tensor on the device has no numpy(); use cpu() first")


OnDevice.__module__ = "torch"  # by this EagerPy tells whose tensor it is


def _compute(func: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
    """Run one operation on the host, as if it ran on the device."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    ours = [t for t in tensors if isinstance(t, OnDevice)]
    asked = kwargs.get("device")
    there = bool(ours) if asked is None else torch.device(asked) == DEVICE
    if ours and func not in _COPIES:
        _refuse_mixtures(func, args, tensors)
    _count(func, args, kwargs, ours, there)
    options = dict(kwargs) if asked is None else {**kwargs, "device": torch.device("cpu")}
    out = func(*tree_map(_host, args), **tree_map(_host, options))
    if func is _ATEN.copy_.default:
        return args[0]
    if func is _ATEN._to_copy.default and out is args[0]:
        out = out.clone()
    if not there:
        return out
    known = {id(t.host): t for t in ours}  # operations in place give back what they were given
    return tree_map(lambda leaf: known[id(leaf)] if id(leaf) in known else _placed(leaf), out)


def _refuse_mixtures(func: Any, args: Any, tensors: list[Tensor]) -> None:
    plain = [t for t in tensors if not isinstance(t, OnDevice) and t.dim()]
    if func in _INDEXING and isinstance(args[0], OnDevice):
        indices = [t for t in args[1] if t is not None]
        plain = [t for t in plain if not any(t is index for index in indices)]
    if plain:
        shapes = ", ".join(str(tuple(t.shape)) for t in plain)
        raise DeviceFault(f"{func}: tensors on the device and on the CPU {shapes}")


def _count(func: Any, args: Any, kwargs: Any, ours: list[OnDevice], there: bool) -> None:
    waits = OnDevice.waits
    if func in _COPIES:
        source, target = (args[1], args[0]) if func is _ATEN.copy_.default else (args[0], None)
        there = isinstance(target, OnDevice) if target is not None else there
        asynchronous = kwargs.get("non_blocking") or (len(args) > 2 and args[2])
        if isinstance(source, OnDevice) and not there:
            waits["download"] += 1
        elif there and not isinstance(source, OnDevice) and not asynchronous:
            waits["upload"] += 1
    elif ours and func in _READS:
        waits["scalar"] += 1
    elif ours and func in _COUNTING:
        waits["count"] += 1
    elif ours and func in _INDEXING:
        indices = [t for t in args[1] if t is not None]
        waits["upload"] += sum(not isinstance(t, OnDevice) for t in indices)
        waits["count"] += sum(t.dtype in (torch.bool, torch.uint8) for t in indices)


def _host(leaf: Any) -> Any:
    return leaf.host if isinstance(leaf, OnDevice) else leaf


def _placed(leaf: Any) -> Any:
    return OnDevice(leaf) if isinstance(leaf, Tensor) and not isinstance(leaf, OnDevice) else leaf


class _Dispatch(TorchDispatchMode):
    """Also what is made from nothing: ``torch.zeros(3, device=DEVICE)``."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or PyTorch would load its compiler, which takes five seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})


class _Filled(TorchFunctionMode):
    """What Python values become on the device: on ``meta`` they never arrive."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor, torch.asarray):
            device = kwargs.get("device")
            if device is not None and torch.device(device) == DEVICE:
                if isinstance(args[0], OnDevice):
                    return args[0].to(kwargs.get("dtype"))
                return func(*args, **{**kwargs, "device": "cpu"}).to(DEVICE)
        if func in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[0], OnDevice):
            image, index, *value = args
            places = index if isinstance(index, tuple) else (index,)
            return func(image, tuple(map(_uploaded, places)), *value)
        return func(*args, **kwargs)


def _uploaded(index: Any) -> Any:
    """``x[[1, 2]]`` and ``x[range(3)]`` send their numbers to the device."""
    numbers = isinstance(index, (list, range, np.ndarray))
    if not numbers:
        return index
    return (torch.tensor(np.asarray(index)) if len(index) else torch.tensor([]).long()).to(DEVICE)


def _loader(load: Callable[..., Any], option: str) -> Callable[..., Any]:
    """A function that reads files: where `option` names the device, what it read is put there."""

    def loaded(*args: Any, **kwargs: Any) -> Any:
        place = kwargs.pop(option, None)
        found = load(*args, **{**kwargs, option: "cpu"})
        moved = place is not None and torch.device(place) == DEVICE
        return tree_map(_placed, found) if moved else found

    return loaded


class _Autocast(torch.autocast):
    """Mixed precision is not pretended; there is none on the device."""

    def __init__(self, device_type: str, **options: Any) -> None:
        place = "cpu" if device_type == DEVICE.type else device_type
        super().__init__(place, **options)


@contextmanager
def pretend_device() -> Iterator[Counter[str]]:
    """While open, `DEVICE` computes, and what a GPU refuses is refused.

    Yields:
        How often a host would have waited for the device, by kind (see `WAITS`).
    """
    waits: Counter[str] = Counter()
    with (
        patch.object(OnDevice, "waits", waits),
        patch.object(torch, "load", _loader(torch.load, "map_location")),
        patch.object(torch, "autocast", _Autocast),
        _Filled(),
        _Dispatch(),
    ):
        yield waits
