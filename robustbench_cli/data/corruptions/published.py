"""Corrupted test images as their authors publish them, in three layouts.

- CIFAR-10-C, CIFAR-100-C: NAME.npy with the test set once for each severity, mildest first, and
  labels.npy (https://zenodo.org/records/2535967 and 3555552).
- MNIST-C: NAME/test_images.npy and test_labels.npy, without severities, and without the folder
  `identity` of unchanged images (https://zenodo.org/records/3239543).
- Tiny-ImageNet-C: NAME/SEVERITY/CLASS/*.JPEG (https://zenodo.org/records/2536630).

Arrays are mapped and never unpickled; shapes and labels are compared with those of the test set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from robustbench_cli.data.dataset import Images
from robustbench_cli.data.pictures import read_picture, to_tensor
from robustbench_cli.errors import RunError

from .corruption import KINDS, SEVERITIES, Corrupted

HOMES = {
    "cifar10": "CIFAR-10-C",
    "cifar100": "CIFAR-100-C",
    "mnist": "mnist_c",
    "tiny-imagenet": "Tiny-ImageNet-C",
}
"""By data set: the folder that its authors' archive unpacks into, below the data folder."""
_SOURCES = {
    "CIFAR-10-C": "https://zenodo.org/records/2535967",
    "CIFAR-100-C": "https://zenodo.org/records/3555552",
    "mnist_c": "https://zenodo.org/records/3239543",
    "Tiny-ImageNet-C": "https://zenodo.org/records/2536630",
}
_BLOCK = 500
_ENDS = 2**16
_EXPECTED = (
    "expected NAME.npy and labels.npy, NAME/test_images.npy and NAME/test_labels.npy, "
    "or NAME/SEVERITY/CLASS/*.JPEG"
)


def open_published(folder: Path, test: Images, samples: int | None = None) -> Corrupted:
    """What lies in a folder, for the test set that was corrupted; the first `samples` images.

    Raises:
        RunError: nothing does, in no layout that is known, or of another data set.
    """
    _present(folder)
    samples = min(samples or len(test), len(test))
    if (folder / "labels.npy").is_file():
        return Blocks(folder, test, samples)
    if any(folder.glob("*/test_images.npy")):
        return Folders(folder, test, samples)
    if any(folder.glob("*/1/*/*.JPEG")):
        return Pictures(folder, test, samples)
    raise RunError(f"{folder} holds no corrupted images; {_EXPECTED}")


def fingerprint(folder: Path) -> str:
    """16 hexadecimal digits for the files of a folder, without reading them whole.

    Of arrays: names, sizes, and 64 KiB from both ends. Of pictures: the names of their folders.

    Raises:
        RunError: there is no such folder.
    """
    _present(folder)
    state = hashlib.sha256()
    for path in sorted([*folder.glob("*.npy"), *folder.glob("*/test_*.npy")]):
        with path.open("rb") as file:
            size = path.stat().st_size
            state.update(f"{path.relative_to(folder)} {size} ".encode())
            state.update(file.read(_ENDS))
            file.seek(max(0, size - _ENDS))
            state.update(file.read())
    for path in sorted(folder.glob("*/[1-5]/*/")):
        state.update(f"{path.relative_to(folder)} ".encode())
    return state.hexdigest()[:16]


def _present(folder: Path) -> None:
    if not folder.is_dir():
        source = _SOURCES.get(folder.name)
        get = f"unpack it there, from {source}" if source else _EXPECTED
        raise RunError(f"no folder {folder}; {get}; or type -n corruptions:images=made")


@dataclass(frozen=True)
class Blocks:
    """One array for each corruption, with the severities one after the other."""

    folder: Path
    test: Images
    samples: int

    def __post_init__(self) -> None:
        wanted = np.tile(self.test.labels.cpu().numpy(), len(SEVERITIES))
        _same_labels(self.folder / "labels.npy", wanted)

    @property
    def cells(self) -> tuple[tuple[str, int], ...]:
        return tuple(product(_known(path.stem for path in self.folder.glob("*.npy")), SEVERITIES))

    def blocks(self, name: str, severity: int) -> Iterator[Images]:
        n = len(self.test)
        pixels = _array(self.folder / f"{name}.npy", len(SEVERITIES) * n, self.test)
        yield from _parts(pixels[(severity - 1) * n :], self.test, self.samples)


@dataclass(frozen=True)
class Folders:
    """One folder for each corruption, at one severity."""

    folder: Path
    test: Images
    samples: int

    @property
    def cells(self) -> tuple[tuple[str, int], ...]:
        found = sorted(path.parent.name for path in self.folder.glob("*/test_images.npy"))
        return tuple((name, 1) for name in found if name != "identity")

    def blocks(self, name: str, severity: int) -> Iterator[Images]:
        here = self.folder / name
        _same_labels(here / "test_labels.npy", self.test.labels.cpu().numpy())
        pixels = _array(here / "test_images.npy", len(self.test), self.test)
        yield from _parts(pixels, self.test, self.samples)


@dataclass(frozen=True)
class Pictures:
    """One folder for each corruption, severity and class, named as the classes of the test set."""

    folder: Path
    test: Images
    samples: int

    @property
    def cells(self) -> tuple[tuple[str, int], ...]:
        names = _known(path.name for path in self.folder.iterdir() if path.is_dir())
        return tuple(
            (name, s)
            for name in names
            for s in SEVERITIES
            if (self.folder / name / str(s)).is_dir()
        )

    def blocks(self, name: str, severity: int) -> Iterator[Images]:
        place = self.folder / name / str(severity)
        found = sorted(path.name for path in place.iterdir() if path.is_dir())
        known = self.test.folders or self.test.classes
        if unknown := [each for each in found if each not in known]:
            raise RunError(
                f"{place}: {unknown[0]} is no class of the data set, whose classes are called "
                f"{', '.join(known[:3])}, ..."
            )
        files = [
            (file, known.index(each))
            for each in found
            for file in sorted((place / each).glob("*.JPEG"))
        ]
        # once shuffled, always in the same way: the first samples have all classes
        order = np.random.default_rng(0).permutation(len(files))[: self.samples]
        for part in np.split(order, range(_BLOCK, len(order), _BLOCK)):
            pixels = torch.stack([_picture(files[i][0], self.test) for i in part])
            labels = torch.tensor([files[i][1] for i in part])
            yield Images(pixels, labels).to(self.test.labels.device)


def _known(found: Iterable[str]) -> list[str]:
    """Those of the fifteen that are there, in the paper's order; others are left out."""
    there = set(found)
    return [name for name in KINDS if name in there]


def _array(path: Path, length: int, test: Images) -> np.ndarray:
    """A mapped array (length, H, W[, C]) of uint8 that fits the test set."""
    channels, height, width = test.shape
    array = _mapped(path)
    shapes = [(length, height, width, channels)] + [(length, height, width)] * (channels == 1)
    if array.shape not in shapes or array.dtype != np.uint8:
        raise RunError(
            f"{path} holds {array.dtype} of shape {array.shape}; expected uint8 of {shapes[0]}, "
            f"as the test set has {len(test)} images"
        )
    return array.reshape(shapes[0])


def _parts(pixels: np.ndarray, test: Images, samples: int) -> Iterator[Images]:
    """The first samples, some at a time, (n, C, H, W) on the device of the test set."""
    for start in range(0, samples, _BLOCK):
        stop = min(start + _BLOCK, samples)
        part = torch.from_numpy(np.array(pixels[start:stop])).permute(0, 3, 1, 2).contiguous()
        yield Images(part.to(test.labels.device), test.labels[start:stop])


def _same_labels(path: Path, wanted: np.ndarray) -> None:
    found = _mapped(path)
    if found.shape != wanted.shape or not np.array_equal(found, wanted):
        raise RunError(
            f"{path}: these {len(found) if found.ndim else 0} labels are not those of the test "
            f"set, of which {len(wanted)} were expected; are they of another data set?"
        )


def _mapped(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as e:
        reason = str(e).partition("\n")[0]
        raise RunError(f"cannot read {path}: {reason}; unpack it again") from e
    if not isinstance(array, np.ndarray):
        raise RunError(f"{path} is no .npy file but an archive; unpack it again")
    return array


def _picture(path: Path, test: Images) -> Tensor:
    channels, height, width = test.shape
    return to_tensor(read_picture(path, str(path), grey=channels == 1, size=(height, width)))
