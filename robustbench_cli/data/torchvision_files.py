"""The data sets that torchvision reads: found in torchvision's own layout, or downloaded into it.

The whole uint8 array is taken out of torchvision's object at once; no sample passes through PIL.
CIFAR's files are pickles, which torchvision opens only if their md5 sum is the published one.
"""

from __future__ import annotations

import io
import re
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, ClassVar

import torch
from torchvision.datasets.utils import check_integrity

from robustbench_cli.errors import RunError

from .dataset import Dataset, Images

_PATIENCE = 20.0  # seconds for a server that does not answer
_UNREADABLE = (RuntimeError, OSError, ValueError, TypeError, LookupError, AssertionError)


@dataclass(kw_only=True)
class TorchvisionDataset(Dataset):
    """A data set of torchvision's; a subclass says which, and names its files."""

    source: ClassVar[type[Any]]
    folder: ClassVar[str]  # below the root of all data sets
    files: ClassVar[Mapping[str, str | None]]  # name -> md5 sum, None where torchvision has none
    layout: ClassVar[str] = "NHW"  # axes of torchvision's array: NHW, NHWC or NCHW
    splits: ClassVar[tuple[dict[str, Any], dict[str, Any]]] = ({"train": True}, {"train": False})
    classes: ClassVar[tuple[str, ...]] = ()  # () takes torchvision's

    @classmethod
    def whereabouts(cls, root: Path) -> str:
        place = root / cls.folder
        absent = [name for name in cls.files if not (place / name).is_file()]
        if not absent:
            return f"in {place}"
        return f"not in {place}; downloaded when it is needed"

    def load(self, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
        root = root.expanduser()
        place = root / self.folder
        absent = [name for name in self.files if not (place / name).is_file()]
        if absent:
            self._download(root, absent)
        try:
            parts = [self.source(root, **split) for split in self.splits]
            classes = self.classes or tuple(parts[0].classes)
            train, test = (_images(part, self.layout, classes) for part in parts)
        except _UNREADABLE as e:
            raise RunError(self._damage(place, e)) from e
        return train, test, classes

    def _download(self, root: Path, absent: list[str]) -> None:
        """Fetch into a temporary folder, then rename: a file that is there is whole."""
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as folder:
                with _quietly():
                    for split in self.splits:
                        self.source(folder, download=True, **split)
                (root / self.folder).mkdir(parents=True, exist_ok=True)
                for name in self.files:
                    (Path(folder) / self.folder / name).replace(root / self.folder / name)
        except (*_UNREADABLE, EOFError, HTTPException) as e:
            raise RunError(
                f"{self.name}: {root / self.folder} lacks {_listing(absent)}, and the download "
                f"failed ({_reason(e)}); put them there, or name the data folder: --data-dir DIR"
            ) from e

    def _damage(self, place: Path, error: Exception) -> str:
        if isinstance(error, OSError):
            return f"{self.name}: cannot read {error.filename or place}: {_reason(error)}"
        wrong = [n for n, md5 in self.files.items() if md5 and not check_integrity(place / n, md5)]
        what = _listing(wrong) if wrong else f"one of {_listing([*self.files])}"
        why = "md5 differs from the published file's" if wrong else _reason(error)
        return (
            f"{self.name}: {what} in {place} is damaged ({why}); "
            "delete it, and the same command downloads it again"
        )


def _images(source: Any, layout: str, classes: tuple[str, ...]) -> Images:
    """A torchvision object as (N, C, H, W) uint8 pixels and (N,) labels."""
    pixels = torch.as_tensor(source.data)
    labels = torch.as_tensor(source.targets if hasattr(source, "targets") else source.labels)
    if layout == "NHW":
        pixels = pixels[:, None]
    elif layout == "NHWC":
        pixels = pixels.permute(0, 3, 1, 2)
    if len(pixels) != len(labels) or not len(labels):
        raise ValueError(f"{len(pixels)} images with {len(labels)} labels")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError(f"labels from {labels.min()} to {labels.max()} for {len(classes)} classes")
    return Images(pixels.contiguous(), labels.long())


@contextmanager
def _quietly() -> Iterator[None]:
    """torchvision's progress goes to stderr, if that is a terminal; a silent server is given up."""
    before = socket.getdefaulttimeout()
    stream = sys.stderr if sys.stderr.isatty() else io.StringIO()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        with redirect_stdout(stream), redirect_stderr(stream):
            yield
    finally:
        socket.setdefaulttimeout(before)


def _reason(error: BaseException) -> str:
    """The last line of an error, where torchvision's list of failed mirrors has the cause."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), type(error).__name__)
    return re.sub(r"^(<urlopen error )?(\[Errno -?\d+\] )?|>$", "", last)


def _listing(names: list[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
