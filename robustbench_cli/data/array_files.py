"""Arrays out of .npy and .npz files: never unpickled, and no larger than their files are worth."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from robustbench_cli.errors import RunError

from .arrays import Array

_ALWAYS = 2**30
_RATIO = 100
"""A file may unfold to a gigabyte, or to so many times its own size, whatever is more."""
_WANTED = "expected one written by np.save or np.savez"


def read_array(path: Path) -> Array:
    """The array of an .npy file, mapped rather than read.

    Raises:
        RunError: absent, damaged, or no such file.
    """
    with _reading(path):
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(found, np.ndarray):
        found.close()
        raise RunError(f"{path} holds several arrays; name it as .npz")
    return found


def array_names(path: Path) -> list[str]:
    """What an .npz file holds, in order."""
    with _reading(path), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def read_arrays(path: Path, names: Collection[str]) -> Mapping[str, Array]:
    """Some arrays of an .npz file, read whole.

    Raises:
        RunError: absent, damaged, or one that would need more memory than it is worth.
    """
    found: dict[str, Array] = {}
    with _reading(path), zipfile.ZipFile(path) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        needed = sum(entries[name].file_size for name in names)
        size = path.stat().st_size
        if needed > max(_ALWAYS, _RATIO * size):
            raise RunError(
                f"{path} has {size} bytes and would unfold to {needed}; write it uncompressed: "
                "np.savez"
            )
        for name in names:
            with archive.open(entries[name]) as file:
                _check_header(file, entries[name].file_size, f"{path}: {name}")
            with archive.open(entries[name]) as file:
                found[name] = npy.read_array(file, allow_pickle=False)
    return found


def _check_header(file: IO[bytes], size: int, where: str) -> None:
    """Whether an array has as many bytes as it says; numpy makes room for them before it reads."""
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"format {version} of numpy's files")
    shape, _, dtype = readers[version](file)
    if dtype.hasobject:
        raise RunError(f"{where} holds Python objects, which are never unpickled; save numbers")
    claimed = dtype.itemsize * int(np.prod([1, *map(int, shape)], dtype=object))
    if file.tell() + claimed != size:
        raise RunError(f"{where} is damaged: its header and its size do not agree")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever goes wrong with somebody's file becomes one line."""
    if not path.is_file():
        raise RunError(f"no file {path}; {_WANTED}")
    try:
        yield
    except RunError:
        raise
    except Exception as e:  # whatever bytes are in a file, the answer is one line
        if any(word in str(e) for word in ("allow_pickle", "Object arrays", "Python objects")):
            raise RunError(
                f"{path} holds Python objects, which are never unpickled; save numbers"
            ) from e
        reason = " ".join(str(e).split())[:120] or type(e).__name__
        raise RunError(f"cannot read {path}: {reason}; {_WANTED}") from e
