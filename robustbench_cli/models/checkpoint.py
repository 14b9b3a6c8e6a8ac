"""Weights out of anybody's file: named tensors or one clear line, and never a line of its code.

Reads safetensors, and whatever `torch.load` reads under ``weights_only=True``.
"""

from __future__ import annotations

import logging
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import safe_open
from torch import Tensor

from robustbench_cli.errors import RunError

from .nests import find_sets, prefixed

_log = logging.getLogger(__name__)
LARGEST = 4 * 2**30
"""Bytes of a file, at most: the largest network of torchvision weighs 2.6 GB."""
SETS = 16
"""Sets of weights in a file, at most: averages and an optimiser's states, of several epochs."""
_ALWAYS = 2**28
_LEAST = 8
"""A network may need 256 MiB, or so many times the bytes of its file, whatever is more."""

State = dict[str, Tensor]
T = TypeVar("T")
_PREFIX = re.compile(r"^(?:(?:module|model|_orig_mod)\.)+")
_AGAIN = "download or copy it again"
_SAVE = "torch.save(model.state_dict(), 'weights.pt')"


def load_state(
    path: Path | str,
    key: str | None = None,
    complete: Callable[[Mapping[str, Tensor]], bool] = lambda _: True,
) -> dict[str, Tensor]:
    """Named tensors on the CPU, floating ones as float32, in the order of the file.

    Looks into every nest (`nests.py`); `key` says which set is meant, where there are several, as
    ``ema`` or ``state_dict.1``; without it, those count that are `complete`, if any is, which may
    look at names and shapes only. Names lose the prefixes ``module.``, ``model.`` and
    ``_orig_mod.``.
    (A .safetensors file has no order of its own: its names come sorted.)

    Raises:
        RunError: no such file, or one without usable weights; one line with cause and remedy.
    """
    path = Path(path)
    check_size(path)
    check_archive(path)
    found = find_sets(_read(path, _first_bytes(path)))
    if key is None:
        found = _whole(path, found, complete)
    elif key not in found and key in (parts := prefixed(found)):
        found = parts
    state = _chosen(path, found, key)
    room = path.stat().st_size
    return strip({name: _plain(path, name, value, room) for name, value in state.items()})


def _whole(
    path: Path, found: dict[str, State], complete: Callable[[Mapping[str, Tensor]], bool]
) -> dict[str, State]:
    """The sets that are `complete`; where none is, parts of them by their prefixes; or all."""
    for sets in (found, prefixed(found)):
        whole = {place: each for place, each in sets.items() if complete(strip(each))}
        if len(whole) == 1 and (len(found) > 1 or sets is not found):
            place, others = one_line(next(iter(whole)) or "top"), len(sets) - 1
            _log.warning("%s: weights: %s (%d more fit no network)", path.name, place, others)
        if whole:
            return whole
    return found


def check_size(path: Path, worth: int | None = None) -> None:
    """Before any of it is read. `worth`: bytes of the network's weights, where it is known.

    Raises:
        RunError: the file is larger than :data:`LARGEST`, or than :data:`SETS` sets of weights; or
            so small that memory for a large network would be made for nothing.
    """
    try:
        size = path.stat().st_size
    except (OSError, ValueError):
        return  # who reads it finds the words
    if size > LARGEST:
        raise RunError(
            f"{path} has {size / 2**30:.1f} GiB, expected at most {LARGEST / 2**30:.0f}; "
            f"save the weights alone: {_SAVE}"
        )
    if worth and (size > SETS * worth + 2**20 or worth > max(_ALWAYS, _LEAST * size)):
        raise RunError(
            f"{path} has {size / 2**20:.1f} MiB, the weights of this network {worth / 2**20:.1f}; "
            f"check --model, or save the weights alone: {_SAVE}"
        )


def check_archive(path: Path) -> None:
    """Look at what a zip file claims to unfold to, which need not fit the memory.

    Raises:
        RunError: to more than the file has bytes; `torch.save` stores everything as it is.
    """
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                return
            size, archive = path.stat().st_size, zipfile.ZipFile(file)
            claimed = sum(entry.file_size for entry in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return  # who reads it finds the words
    if claimed > size:
        raise RunError(
            f"{path} has {size} bytes and would unfold to {claimed}, which torch.save never does; "
            f"save the weights anew: {_SAVE}"
        )


def strip(state: Mapping[str, T]) -> dict[str, T]:
    """Names without the prefixes that wrappers add; as they are where two would become one."""
    stripped = {_PREFIX.sub("", name): value for name, value in state.items()}
    return stripped if len(stripped) == len(state) else dict(state)


def _first_bytes(path: Path) -> bytes:
    """The beginning of the file, once it is clear that it may be a checkpoint."""
    try:
        if path.is_dir():
            raise RunError(
                f"{path} is a folder without a finished run; name a checkpoint file in it"
            )
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError as e:
        raise RunError(
            f"no file {path}; expected a run's folder or a .safetensors, .pt or .pth file"
        ) from e
    except (OSError, ValueError) as e:
        reason = getattr(e, "strerror", None) or e
        raise RunError(f"cannot read {one_line(path)}: {one_line(reason)}") from e
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not head:
        raise RunError(f"{path} is empty; {_AGAIN}")
    if text.startswith((b"<!doctype", b"<html")):
        raise RunError(
            f"{path} is a web page, not a checkpoint; download the file that the page shows "
            "(on GitHub: its 'raw' link)"
        )
    if text.startswith(b"version https://git-lfs"):
        raise RunError(f"{path} is a Git LFS pointer, not the weights; type: git lfs pull")
    if head.startswith((b"\x80\x04", b"\x80\x05")):  # torch.save writes protocol 2
        raise RunError(f"{path} is a plain pickle, which may hold code; save it anew by {_SAVE}")
    return head


def _read(path: Path, head: bytes) -> Any:
    """The document in the file, by its first bytes: names and suffixes are often wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path.suffix == ".safetensors" or head[8:9] == b"{":
                with safe_open(path, framework="pt") as file:  # mapped, not read
                    return {name: file.get_tensor(name) for name in sorted(file.keys())}
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as e:  # whatever bytes are in a file, the answer is one line
        raise RunError(_why(path, e)) from e


def _why(path: Path, error: Exception) -> str:
    """Cause and remedy, from what torch or safetensors said."""
    message = str(error)
    if _exported(path):
        return (
            f"{path} is a program of torch.export, which is never run; save its weights alone: "
            "torch.save(torch.export.load(...).state_dict, 'weights.pt')"
        )
    if "TorchScript" in message:
        return (
            f"{path} is a TorchScript program, which is never run; save its weights alone: "
            f"model = torch.jit.load(...); {_SAVE}"
        )
    if wanted := re.search(r"GLOBAL ([\w.]+)", message):
        return (
            f"{path} needs code to be loaded ({wanted[1]}), which is never run; where it "
            f"was made, save the weights alone: {_SAVE}"
        )
    reason = f"{type(error).__name__}: {one_line(error)}"
    return f"{path} is cut short, damaged or no checkpoint ({reason}); {_AGAIN}"


def _exported(path: Path) -> bool:
    """Whether torch.export wrote this file (.pt2): its archive says so, in either format."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.rpartition("/")[2] for name in archive.namelist()}
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
    return bool(names & {"archive_format", "serialized_exported_program.json"})


def one_line(cause: object) -> str:
    """A foreign message, fit to stand inside one line of ours."""
    text = str(cause).rpartition("WeightsUnpickler error:")[2].strip()
    text = "".join(c if c.isprintable() else " " for c in text.partition("\n")[0])
    text = " ".join(text.split()).rstrip(".:")
    return f"{text[:117]}..." if len(text) > 120 else text or "no reason given"


def _chosen(path: Path, found: Mapping[str, dict[str, Tensor]], key: str | None) -> State:
    """The set that `key` names; without one, the only one."""
    if not found:
        raise RunError(f"{path} holds no named tensors; expected a state dict, saved by {_SAVE}")
    if key is None and len(found) == 1:
        return next(iter(found.values()))
    if key is not None and key in found:
        return found[key]
    listed = [f"{one_line(name) or 'top'} ({len(s)} tensors)" for name, s in found.items() if name]
    listing = ", ".join(listed[:6] + ["..."] * (len(listed) > 6))
    typed = f"type --weights-key {one_line(next(name for name in found if name))}" if listed else ""
    if key is not None:
        there = f"there are: {listing}" if listed else "its tensors lie open: leave it out"
        raise RunError(f"{path} holds no set of weights called {one_line(key)}; {there}")
    raise RunError(f"{path} holds {len(found)} sets of weights: {listing}; {typed}, or another")


def _plain(path: Path, name: str, value: Tensor, room: int) -> Tensor:
    """A dense tensor of finite numbers, or the reason why this is none."""
    shown = one_line(name)
    if not name.isprintable():
        raise RunError(f"{path} is damaged: a tensor is called {shown!r}; {_AGAIN}")
    dense = value.layout is torch.strided and value.device.type == "cpu"
    if not dense or value.is_nested or value.is_quantized or value.is_complex():
        raise RunError(f"{path}: {shown} is a sparse, quantised or complex tensor; save plain ones")
    if value.numel() * value.element_size() > room:  # a size that nobody stored, only wrote down
        raise RunError(f"{path}: {shown} claims to be larger than the file; {_AGAIN}")
    value = value.detach()
    if value.is_floating_point():
        value = value.float()
        if not value.isfinite().all():
            raise RunError(
                f"{path}: {shown} is not finite; that training diverged: use an earlier checkpoint"
            )
    return value
