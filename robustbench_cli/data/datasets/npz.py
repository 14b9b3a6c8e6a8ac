"""Your own arrays: npz:FILE.npz, or npz:X.npy,labels=Y.npy; nothing in them is ever unpickled.

Arrays are found by their usual names: x_train, y_train, x_test, y_test, or train_images,
train_labels, test_images, test_labels; x and y, images and labels, data and targets, arr_0 and
arr_1 for a set in one piece. Such a set is split 80 to 20, the same share of every class, always
in the same way, and shuffled; `part=test` makes all of it the test images, in their order, and
`test=FILE` (for .npy with test-labels=FILE) names a test part. Given parts keep their order.

Pixels are uint8 or other whole numbers in 0..255, floats in [0, 1], or booleans; (N, C, H, W),
(N, H, W, C) or grey (N, H, W). Labels are numbers from 0, or one-hot; an array called `classes`
names them. What can be meant in two ways is asked for. uint8 images that do not fit into memory are
read as they are used, out of .npy files, and of .npz files that are not compressed (np.savez). A
relative path starts at the working directory and is kept whole. By default, training neither crops
nor mirrors them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch

from robustbench_cli.data import usual
from robustbench_cli.data.array_files import array_names, read_array, read_arrays
from robustbench_cli.data.arrays import MOST_CLASSES, Array, count_classes, to_images
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.data.split import split
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.spec import param

_PAIRS = (
    *(("x", "y"), ("images", "labels"), ("image", "label"), ("data", "labels")),
    *(("data", "targets"), ("arr_0", "arr_1")),
)
_CLASSES = ("classes", "class_names")
_EXPECTED = "expected x_train, y_train, x_test, y_test, or x and y"

Parts = dict[str, Images]  # by "train", "test", or "" for a set in one piece


@dataclass(kw_only=True)
class Npz(Dataset):
    positional: ClassVar[str | None] = "path"
    epochs = 30
    eps: ClassVar[dict[str, str]] = usual.COLOUR
    train_eps: ClassVar[dict[str, str]] = usual.COLOUR_TRAINING
    ranges: ClassVar[dict[str, str]] = usual.COLOUR_RANGES

    path: str = param(MISSING, "the .npz file, or an .npy file of images")
    labels: str | None = param(None, "the .npy file of their labels")
    test: str | None = param(None, "another file, whose images are the test part")
    test_labels: str | None = param(None, "the .npy file of their labels")
    part: Literal["split", "test"] = param("split", "what a set in one piece is: both, or test")
    layout: Literal["auto", "nchw", "nhwc"] = param("auto", "the order of the axes")
    classes: int | None = param(
        None, "how many, where no image has the last ones", low=2, high=MOST_CLASSES
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("path", "labels", "test", "test_labels"):
            if given := getattr(self, name):
                setattr(self, name, str(Path(given).expanduser().absolute()))
        if self.test and self.part == "test":
            raise UsageError("npz: part=test makes all of it test images; leave out test=FILE")

    @property
    def files(self) -> list[Path]:
        named = (self.path, self.labels, self.test, self.test_labels)
        return [Path(name) for name in named if name]

    def stamp(self) -> Hashable:
        found = [(path, path.stat()) for path in self.files if path.is_file()]
        return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in found)

    @property
    def short(self) -> str:
        """With the files' own names and a digest of the way there."""
        mark = hashlib.sha256("\n".join(map(str, self.files)).encode()).hexdigest()[:6]
        name, _, given = str(self).partition(":")
        for path in self.files[1:]:
            given = given.replace(str(path), path.stem, 1)
        first = Path(self.path)
        return f"{name}:{given.replace(self.path, f'{first.stem}-{mark}', 1)}"

    @classmethod
    def whereabouts(cls, root: Path) -> str:
        return "wherever PATH says: --data npz:PATH"

    def load(self, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
        """`root` is not used: the arrays are where `path` says.

        Of arrays that are test images only, no training image comes.
        """
        parts, names = self._read(Path(self.path), self.labels)
        if self.test:
            parts = self._with_test(parts)
        elif self.part == "test":
            parts = self._as_test(parts)
        _alike(parts, self.name)
        count = self.classes or len(names) or count_classes([*parts.values()], self.name)
        classes = names or tuple(map(str, range(count)))
        self._check(parts, classes, count)
        if "" in parts:
            return *split(parts[""], classes), classes
        test = parts["test"]
        return parts.get("train", test[:0]), test, classes

    def _read(self, path: Path, labels: str | None) -> tuple[Parts, tuple[str, ...]]:
        if path.suffix == ".npy":
            if not labels:
                raise UsageError(f"npz: {path} holds images; name their labels: labels=FILE.npy")
            own = read_array(path), read_array(Path(labels))
            return {"": to_images(*own, path.name, self.layout)}, ()
        if labels:
            raise UsageError(f"npz: {path} is no .npy file, so labels={labels} is not needed")
        held = {name.lower(): name for name in array_names(path)}
        found = {part: pair for part in ("train", "test", "") if (pair := _pair(held, part, path))}
        if "" in found and "train" in found:
            both = " and ".join(", ".join(found[part]) for part in ("", "train"))
            raise UsageError(f"{path} holds {both}; which is meant? write one pair into a file")
        if "" in found and "test" in found:
            found["train"] = found.pop("")
        if "train" in found and "test" not in found:
            found = {"": found["train"]}
        if not found:
            listing = ", ".join([*held.values()][:8]) or "nothing"
            raise RunError(f"{path} holds {listing}; {_EXPECTED}")
        titles = [held[name] for name in _CLASSES if name in held][:1]
        wanted = [*dict.fromkeys([name for pair in found.values() for name in pair] + titles)]
        arrays = read_arrays(path, wanted)
        names = _titles(arrays[titles[0]], path) if titles else ()
        return {
            part: to_images(arrays[x], arrays[y], f"{path.name}: {x}", self.layout)
            for part, (x, y) in found.items()
        }, names

    def _with_test(self, parts: Parts) -> Parts:
        if "test" in parts:
            raise UsageError(f"npz: {self.path} has a test part of its own; leave out test=FILE")
        others, _ = self._read(Path(str(self.test)), self.test_labels)
        return {"train": parts[""], "test": others["test"] if "test" in others else others[""]}

    def _as_test(self, parts: Parts) -> Parts:
        if "train" in parts:
            raise UsageError(f"npz: {self.path} has a test part of its own; leave out part=test")
        return {"test": next(iter(parts.values()))}

    def _check(self, parts: Parts, classes: tuple[str, ...], count: int) -> None:
        if len(classes) != count:
            raise UsageError(
                f"npz: classes={count}, but {Path(self.path).name} names {len(classes)} classes"
            )
        for part in parts.values():
            largest = int(part.labels.max())
            if largest >= count:
                raise UsageError(f"npz: a label {largest}, but {count} classes, from 0")


def _pair(held: Mapping[str, str], part: str, path: Path) -> tuple[str, str] | None:
    """The names of images and labels of one part, as the file spells them."""
    found = []
    for pair in _PAIRS:
        ways = [tuple(f"{name}_{part}" for name in pair), tuple(f"{part}_{name}" for name in pair)]
        for x, y in ways if part else [pair]:
            if x in held and y in held:
                found.append((held[x], held[y]))
    if len(found) > 1:
        both = " and ".join(f"{x}, {y}" for x, y in found[:2])
        raise UsageError(f"{path} holds {both}; which is meant? write one pair into a file")
    return found[0] if found else None


def _titles(array: Array, path: Path) -> tuple[str, ...]:
    titles = tuple(str(title) for title in array.tolist()) if array.ndim == 1 else ()
    if len(set(titles)) != array.size or array.dtype.kind not in "Uiu" or len(titles) < 2:
        raise UsageError(f"{path}: classes must be the names of the classes, each once, as text")
    return titles


def _alike(parts: Parts, name: str) -> None:
    """
    Raises:
        UsageError: train and test parts have other shapes.
    """
    shapes = {part: "x".join(map(str, images.shape)) for part, images in parts.items()}
    if len(set(shapes.values())) > 1:
        raise UsageError(
            f"{name}: images to train on are {shapes['train']}, to test on "
            f"{shapes['test']}; expected the same"
        )
    if len({images.dtype for images in parts.values()}) > 1:
        for part, images in parts.items():
            if images.dtype == torch.uint8:
                parts[part] = Images(images.x, images.labels)
