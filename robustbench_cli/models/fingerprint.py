"""What a live network computes, in sixteen digits: its weights, its structure and its code.

Two networks with equal weights need not be the same function: another activation, another constant
in `forward`, another helper that it calls. All of that counts; where it lies in memory or in a
file does not. A network that differs in nothing that matters may still get other digits (say, by
another version of Python), which costs a computation and no truth.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_OWN = frozenset(vars(nn.Module()))  # what every module has; parameters and children come by name
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_LIBRARY = frozenset({"torch", "torchvision", "numpy", *sys.stdlib_module_names})
_REFERRED = (bool, int, float, str, tuple, FunctionType, type, Tensor, np.ndarray)


def fingerprint(network: nn.Module) -> str:
    """16 hexadecimal digits that change whenever weights, structure or code do."""
    state = _State()
    for name, module in network.named_modules(remove_duplicate=False):
        state.add(name)
        state.add(type(module))
        state.add(module.extra_repr())
        held = {**module._parameters, **module._buffers}
        state.add({key: value for key, value in held.items() if value is not None})
        state.add({k: v for k, v in sorted(vars(module).items()) if k not in _OWN})
        state.add([[*getattr(module, hooks).values()] for hooks in _HOOKS])
        if isinstance(module, torch.jit.ScriptModule):
            state.add(getattr(module, "code", ""))
    return state.digest()


class _State:
    """A hash that values of any kind are added to; each object with an address only once."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no address is used twice
        self._later: list[Any] = []  # what functions refer to; a queue, for it may go deep

    def digest(self) -> str:
        for value in self._later:  # which grows meanwhile
            self.add(value)
        return self._hash.hexdigest()[:16]

    def add(self, value: Any) -> None:
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
            self._text(type(value).__name__, repr(value))
        elif id(value) in self._seen:
            self._text("again", str(self._seen[id(value)]))
        elif isinstance(value, (Tensor, np.ndarray, np.generic)):
            self._array(value)
        else:
            self._seen[id(value)] = len(self._seen)
            self._kept.append(value)
            self._object(value)

    def _object(self, value: Any) -> None:
        match value:
            case Mapping():
                self._text("mapping", str(len(value)))
                for key in value:
                    self.add(key if isinstance(key, (str, int)) else str(type(key)))
                    self.add(value[key])
            case list() | tuple():
                self._text("sequence", str(len(value)))
                for each in value:
                    self.add(each)
            case set() | frozenset():
                self.add(sorted(map(repr, value)))
            case partial():
                self.add([value.func, value.args, value.keywords])
            case MethodType():
                self.add(value.__func__)
            case FunctionType():
                self._function(value)
            case CodeType():
                self._code(value)
            case type():
                self._class(value)
            case nn.Module():  # one of the network itself, under its name
                self._text("module", type(value).__qualname__)
            case _:
                self.add(type(value))
                self.add([getattr(value, name, None) for name in ("__module__", "__qualname__")])
                self.add(getattr(value, "__dict__", {}))
                shown = repr(value)
                self.add("" if " at 0x" in shown else shown)

    def _class(self, kind: type) -> None:
        self._text("class", f"{kind.__module__}.{kind.__qualname__}")
        for each in kind.__mro__:
            if each.__module__.partition(".")[0] not in _LIBRARY:
                for name, member in sorted(vars(each).items()):
                    found = getattr(member, "__func__", getattr(member, "fget", member))
                    plain = isinstance(found, (bool, int, float, str, tuple))
                    if isinstance(found, FunctionType) or (plain and not name.startswith("__")):
                        self.add(name)
                        self.add(found)

    def _function(self, function: FunctionType) -> None:
        self._text("function", function.__qualname__)
        if (function.__module__ or "").partition(".")[0] in _LIBRARY:
            self._text("of", function.__module__)
            return
        self.add(function.__code__)
        self.add([function.__defaults__, function.__kwdefaults__])
        for cell in function.__closure__ or ():
            try:
                self.add(cell.cell_contents)
            except ValueError:  # not filled yet
                self._text("cell", "empty")
        for name in function.__code__.co_names:
            found = function.__globals__.get(name)
            if isinstance(found, _REFERRED):
                self._later.append(found)

    def _code(self, code: CodeType) -> None:
        self._hash.update(code.co_code)
        self.add([code.co_names, code.co_consts])

    def _array(self, value: Tensor | np.ndarray[Any, Any] | np.generic) -> None:
        if isinstance(value, Tensor):
            tensor = value.detach().cpu().contiguous()
            raw = tensor.reshape(-1).view(torch.uint8) if tensor.numel() else tensor
            dtype, data = str(tensor.dtype), raw.numpy().tobytes()
        else:
            dtype, data = str(value.dtype), repr(value).encode()
            if not value.dtype.hasobject:
                data = value.tobytes()
        self._text("array", f"{dtype} {tuple(value.shape)}")
        self._hash.update(data)

    def _text(self, kind: str, text: str) -> None:
        self._hash.update(f"{kind} {len(text)} {text}\n".encode())
