"""110,000 colour photographs of 200 things, 64x64: Tiny-ImageNet.

Le and Yang, "Tiny ImageNet Visual Recognition Challenge", 2015; 500 images of each class for
training, and the 50 of each class in `val` as test images, because nobody has the labels of `test`.
Below the data folder lies `tiny-imagenet-200` as its authors made it, or
http://cs231n.stanford.edu/tiny-imagenet-200.zip as it was downloaded, which is read without being
unpacked. Test images keep the order of `val_annotations.txt`. Classes are in the order of their
WordNet ids, as torchvision's ImageFolder and published networks have them, and called by the first
of their words. Where some class folders are missing, the data set is one of those that are there,
which is said. Usual in training: crop after padding by 4, and mirror.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from robustbench_cli.data import usual
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.data.holding import images_of
from robustbench_cli.data.once import warn_once
from robustbench_cli.data.pictures import read_picture, to_tensor
from robustbench_cli.data.sources import Pictures
from robustbench_cli.data.split import shuffled_order
from robustbench_cli.data.trees import Tree, Unpacked, Zipped
from robustbench_cli.errors import RunError

_log = logging.getLogger(__name__)
_HOME = "tiny-imagenet-200"
_SOURCE = f"http://cs231n.stanford.edu/{_HOME}.zip"
_SIDE = 64
_CLASSES = 200
_EACH = 500
_PICTURE = 2**20  # bytes of a file at most: 64x64 pixels are 12,288
_TEXT = 2**24


@dataclass(kw_only=True)
class TinyImagenet(Dataset):
    epochs = 100
    optimizer = "sgd"
    weight_decay = 5e-4
    padding = 4
    flip = True
    eps: ClassVar[dict[str, str]] = usual.COLOUR
    train_eps: ClassVar[dict[str, str]] = usual.COLOUR_TRAINING
    ranges: ClassVar[dict[str, str]] = usual.COLOUR_RANGES

    @classmethod
    def whereabouts(cls, root: Path) -> str:
        try:
            return f"in {_place(root)}"
        except RunError:
            return f"not in {root / _HOME}, nor as {_HOME}.zip; get it from {_SOURCE}"

    def load(self, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
        place = _place(root.expanduser())
        ids = _ids(place)
        train = [
            (f"train/{each}/images/{name}", label)
            for label, each in enumerate(ids)
            for name in _pictures(place, each)
        ]
        names = _names(place, ids)
        test = [*_annotated(place, ids)]
        if len(ids) < _CLASSES:
            warn_once(
                *(_log, str(place)),
                "%s has %d of Tiny-ImageNet's %d classes; numbers compare with no published ones",
                *(place, len(ids), _CLASSES),
            )
        mixed = [train[i] for i in shuffled_order(len(train))]
        return _decode(place, mixed, ids), _decode(place, test, ids), names


def _place(root: Path) -> Tree:
    """
    Raises:
        RunError: neither the folder nor the archive is there.
    """
    if (root / _HOME).is_dir():
        return Unpacked(root / _HOME)
    if (root / f"{_HOME}.zip").is_file():
        return Zipped(root / f"{_HOME}.zip", _HOME)
    raise RunError(
        f"tiny-imagenet: {root} has neither {_HOME}/ nor {_HOME}.zip; get it from {_SOURCE} "
        "(237 MB), or name the data folder: --data-dir DIR"
    )


def _ids(place: Tree) -> list[str]:
    """The WordNet ids of the classes that are there, sorted."""
    listed = sorted({*_lines(place, "wnids.txt")} - {""})
    found = [each for each in listed if place.files(f"train/{each}/images")]
    if len(found) < 2 or len(listed) > _CLASSES:
        raise RunError(
            f"{place} has pictures of {len(found)} of the {len(listed)} classes in wnids.txt; "
            f"expected train/ID/images/*.JPEG for 2 to {_CLASSES}"
        )
    return found


def _pictures(place: Tree, each: str) -> list[str]:
    found = [n for n in place.files(f"train/{each}/images") if n.lower().endswith(".jpeg")]
    if not 0 < len(found) <= _EACH:
        raise RunError(
            f"{place}: train/{each}/images has {len(found)} pictures; expected 1 to {_EACH}"
        )
    return found


def _annotated(place: Tree, ids: list[str]) -> Iterator[tuple[str, int]]:
    """The pictures of val/ with their classes, in the order of the annotations."""
    label, seen = {each: i for i, each in enumerate(ids)}, 0
    for line in _lines(place, "val/val_annotations.txt"):
        name, _, rest = line.partition("\t")
        each = rest.partition("\t")[0]
        if not line or each not in label:
            continue  # of a class that is not there
        if "/" in name or "\\" in name or not name:
            raise RunError(f"{place}: val/val_annotations.txt names no picture in {line[:60]!r}")
        seen += 1
        if seen > _CLASSES * _EACH:
            raise RunError(f"{place}: val/val_annotations.txt has too many lines")
        yield f"val/images/{name}", label[each]
    if not seen:
        raise RunError(
            f"{place}: val/val_annotations.txt names no picture of the classes that are there; "
            "expected lines of file name, tabulator, id"
        )


def _names(place: Tree, ids: list[str]) -> tuple[str, ...]:
    """What the classes are called: the first word, all of them where that is shared, or the id."""
    words: Mapping[str, str] = {}
    if place.has("words.txt"):
        pairs = (line.partition("\t") for line in _lines(place, "words.txt"))
        words = {each: text.strip() for each, _, text in pairs}
    first = {each: words.get(each, "").partition(",")[0].strip() or each for each in ids}
    shared = Counter(first.values())
    full = {each: words[each] if shared[name] > 1 else name for each, name in first.items()}
    again = Counter(full.values())
    return tuple(each if again[name] > 1 else name for each, name in full.items())


def _lines(place: Tree, name: str) -> list[str]:
    return [line.strip() for line in place.read(name, _TEXT).decode("utf-8", "replace").split("\n")]


def _decode(place: Tree, pictures: Sequence[tuple[str, int]], ids: Sequence[str]) -> Images:
    source = Pictures(
        len(pictures),
        (3, _SIDE, _SIDE),
        lambda i: _picture(place, pictures[i][0]),
        lambda: place.mark([name for name, _ in pictures]),
    )
    labels = torch.tensor([label for _, label in pictures])
    return images_of(source, labels, "tiny-imagenet", folders=ids)


def _picture(place: Tree, name: str) -> Tensor:
    data = place.read(name, _PICTURE)
    return to_tensor(read_picture(data, f"{place}/{name}", size=(_SIDE, _SIDE)))
