"""Arrays out of .npy and .npz files: never unpickled, and no larger than their files are worth."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy

from robustbench_cli.errors import RobustmixError, RunError, UsageError

from .archives import open_member
from .arrays import Array
from .memory import fits_memory

Header = tuple[tuple[int, ...], bool, np.dtype[Any]]
_ALWAYS = 2**30
_RATIO = 100
"""A file may unfold to a gigabyte, or to so many times its own size, whatever is more."""
_WANTED = "expected one written by np.save or np.savez"


def read_array(path: Path) -> Array:
    """The array of an .npy file, mapped rather than read.

    Raises:
        UsageError: absent.
        RunError: damaged, or no such file.
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
    """Some arrays of an .npz file, read whole; mapped where they do not fit and lie uncompressed.

    Raises:
        UsageError: absent.
        RunError: damaged, or one that would need more memory than it is worth.
    """
    found: dict[str, Array] = {}
    with _reading(path), zipfile.ZipFile(path) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        for name in names:
            stored = entries[name].compress_type == zipfile.ZIP_STORED
            if stored and not fits_memory(entries[name].file_size):
                found[name] = _mapped(path, archive, entries[name])
        names = [name for name in names if name not in found]
        needed = sum(entries[name].file_size for name in names)
        size = path.stat().st_size
        if needed > max(_ALWAYS, _RATIO * size):
            raise RunError(
                f"{path} has {size} bytes and would unfold to {needed}; write it uncompressed: "
                "np.savez"
            )
        for name in names:
            with open_member(archive, entries[name]) as file:
                _check_header(file, entries[name].file_size, f"{path}: {name}")
            with open_member(archive, entries[name]) as file:
                found[name] = npy.read_array(file, allow_pickle=False)
    return found


def _mapped(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Array:
    """An uncompressed array of an .npz file, where it lies."""
    with open_member(archive, entry) as file:
        shape, fortran, dtype = _check_header(file, entry.file_size, f"{path}: {entry.filename}")
        start = file.tell()
    with path.open("rb") as raw:  # the lengths here may be others than in the directory
        raw.seek(entry.header_offset + 26)
        lengths = int.from_bytes(raw.read(2), "little"), int.from_bytes(raw.read(2), "little")
        offset = raw.tell() + sum(lengths) + start
    order: Literal["C", "F"] = "F" if fortran else "C"
    return np.memmap(path, dtype, "r", offset, shape, order)


def _check_header(file: IO[bytes], size: int, where: str) -> Header:
    """Whether an array has as many bytes as it says; numpy makes room for them before it reads."""
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"format {version} of numpy's files")
    shape, fortran, dtype = readers[version](file)
    if dtype.hasobject:
        raise RunError(f"{where} holds Python objects, which are never unpickled; save numbers")
    claimed = dtype.itemsize * int(np.prod([1, *map(int, shape)], dtype=object))
    if file.tell() + claimed != size:
        raise RunError(f"{where} is damaged: its header and its size do not agree")
    return shape, fortran, dtype


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever goes wrong with somebody's file becomes one line."""
    if not path.is_file():
        what = f"{path} is a directory" if path.is_dir() else f"no file {path}"
        raise UsageError(f"{what}; {_WANTED}")
    try:
        yield
    except RobustmixError:
        raise
    except Exception as e:  # whatever bytes are in a file, the answer is one line
        if any(word in str(e) for word in ("allow_pickle", "Object arrays", "Python objects")):
            raise RunError(
                f"{path} holds Python objects, which are never unpickled; save numbers"
            ) from e
        reason = " ".join(str(e).split())[:120] or type(e).__name__
        raise RunError(f"cannot read {path}: {reason}; {_WANTED}") from e
