"""Your own pictures: folder:PATH with PATH/train/CLASS/*.png and PATH/test/CLASS/*.png.

The folders are read as torchvision's ImageFolder does: classes are the sorted names of the folders,
pictures may lie deeper, and png, jpg, bmp, ppm, tif and webp are known. Without train/ and test/,
PATH/CLASS/* is split 80 to 20, the same share of every class, always in the same way; `part=test`
makes all of it test images. They are shuffled once, so that the first n have all classes.

`list=FILE` takes the pictures named there alone, as test images in that order: lines of CLASS/NAME,
as RobustBench lists 5,000 of ImageNet's validation pictures, or of NAME LABEL where they lie in one
folder, with labels from 0. `classes` says how many there are if more than are seen.

Pictures are decoded once (or, where they do not fit into memory, whenever they are used, with the
same results) and resized (bilinear, antialiased) to `size`, a square's side or HEIGHTxWIDTH; those
of other proportions are stretched, which is said: `fit=crop` keeps the middle, `fit=pad` keeps all
and adds black bars. Networks for ImageNet see something else: resize=256,crop=224 makes the shorter
side 256 pixels long and cuts the middle out, to the pixel as torchvision does, and as timm with
interpolation=bicubic; `crop` alone cuts without resizing.

A relative PATH starts at the working directory and is kept whole, so that it means the same
pictures from everywhere. Nothing is cropped or mirrored in training unless you ask for it.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Hashable, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.datasets import ImageFolder

from robustbench_cli.data import usual
from robustbench_cli.data.arrays import MOST_CLASSES
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.data.holding import images_of
from robustbench_cli.data.lists import Listed
from robustbench_cli.data.once import warn_once
from robustbench_cli.data.pictures import centred, read_picture, shrunk, to_tensor
from robustbench_cli.data.sources import Pictures, files_mark
from robustbench_cli.data.split import shuffled_order, split_order
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.spec import param

_log = logging.getLogger(__name__)
_EXPECTED = "expected PATH/train/CLASS/*.png and PATH/test/CLASS/*.png, or PATH/CLASS/*.png"

Listing = list[tuple[str, int]]  # file and class of each


@dataclass(kw_only=True)
class Folder(Dataset):
    positional: ClassVar[str | None] = "path"
    epochs = 30
    eps: ClassVar[dict[str, str]] = usual.COLOUR
    train_eps: ClassVar[dict[str, str]] = usual.COLOUR_TRAINING
    ranges: ClassVar[dict[str, str]] = usual.COLOUR_RANGES

    path: str = param(MISSING, "the folder that has train/ and test/, or one folder per class")
    list: str | None = param(None, "a file of the names of those wanted, with or without labels")
    part: Literal["split", "test"] | None = param(
        None, "what one folder per class is: both, or test; none: test with a list"
    )
    size: str = param("32", "pixels: the side of a square, or HEIGHTxWIDTH")
    fit: Literal["stretch", "crop", "pad"] = param("stretch", "pictures of other proportions")
    resize: int | None = param(None, "pixels of the shorter side, before crop", low=4, high=4096)
    crop: str | None = param(None, "pixels of the middle, in the place of size and fit")
    interpolation: Literal["bilinear", "bicubic"] = param("bilinear", "how pictures are resized")
    classes: int | None = param(None, "of a list: how many", low=2, high=MOST_CLASSES)
    grey: bool = param(False, "one channel instead of red, green and blue")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.path = str(Path(self.path).expanduser().absolute())
        if self.list:
            self.list = str(Path(self.list).expanduser().absolute())
        if self.classes and not self.list:
            raise UsageError("folder: classes is for list=FILE; folders are counted")
        if self.list and self.part == "split":
            raise UsageError("folder: a list names test pictures; leave out part=split")
        if self.resize and not self.crop:
            raise UsageError(
                f"folder: resize={self.resize} keeps proportions; say what is cut out of the "
                f"middle: resize={self.resize},crop={min(1024, self.resize * 7 // 8)}"
            )
        if self.crop and (self.size != "32" or self.fit != "stretch"):
            raise UsageError("folder: type size and fit, or resize and crop; not both")
        height, width = self.shape
        written = str(height) if height == width else f"{height}x{width}"
        if self.crop:
            self.crop = written
        else:
            self.size = written

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width.

        Raises:
            UsageError: `size` or `crop` is none.
        """
        option, text = ("crop", self.crop) if self.crop else ("size", self.size)
        sides = str(text).lower().split("x")
        if len(sides) > 2 or not all(re.fullmatch("[0-9]{1,4}", side) for side in sides):
            raise UsageError(
                f"folder: {option}={text} is no size; write pixels, as 32, or HEIGHTxWIDTH, as "
                "20x36"
            )
        height, width = int(sides[0]), int(sides[-1])
        for side in (height, width):
            if not 4 <= side <= 1024:
                raise UsageError(f"folder: {option}={text} is outside [4, 1024]")
        return height, width

    def stamp(self) -> Hashable:
        files = sorted(path for path in Path(self.path).rglob("*") if path.is_file())
        files += [Path(self.list)] if self.list and Path(self.list).is_file() else []
        found = ((path, path.stat()) for path in files)
        return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in found)

    @property
    def short(self) -> str:
        """With the folder's own name and a digest of the way there."""
        mark = hashlib.sha256(f"{self.path}{self.list or ''}".encode()).hexdigest()[:6]
        text = str(self)
        if self.list:
            text = text.replace(f"list={self.list}", f"list={Path(self.list).stem}", 1)
        return text.replace(self.path, f"{Path(self.path).name}-{mark}", 1)

    @classmethod
    def whereabouts(cls, root: Path) -> str:
        return "wherever PATH says: --data folder:PATH"

    def load(self, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
        """`root` is not used: the pictures are where `path` says."""
        path = Path(self.path)
        if not path.is_dir():
            raise UsageError(f"no folder {path}; {_EXPECTED}")
        if self.list:
            pictures, names = Listed(path, Path(self.list), self.classes).read()
            return self._decode([]), self._decode(pictures), tuple(names)
        parts = [path / "train", path / "test"]
        present = [part for part in parts if part.is_dir()]
        if len(present) == 1:
            raise RunError(f"{path} has {present[0].name}/ alone; {_EXPECTED}")
        if present and self.part:
            raise UsageError(f"folder: {path} has train/ and test/; leave out part={self.part}")
        if present:
            (train, classes), (test, others) = (_listed(part) for part in parts)
            if classes != others:
                unlike = ", ".join(sorted({*classes} ^ {*others}))
                raise RunError(
                    f"{path}: train/ and test/ need the same classes; one lacks {unlike}"
                )
            train, test = _shuffled(train), _shuffled(test)
        elif self.part == "test":
            pictures, classes = _listed(path)
            train, test = [], _shuffled(pictures)
        else:
            pictures, classes = _listed(path)
            labels = torch.tensor([label for _, label in pictures])
            orders = split_order(labels, classes)
            train, test = ([pictures[i] for i in order] for order in orders)
        return self._decode(train), self._decode(test), tuple(classes)

    def _decode(self, pictures: Listing) -> Images:
        source = Pictures(
            len(pictures),
            (1 if self.grey else 3, *self.shape),
            lambda i: self._read(pictures[i][0]),
            lambda: f"{self}\n{files_mark(file for file, _ in pictures)}",
        )
        labels = torch.tensor([label for _, label in pictures], dtype=torch.long)
        return images_of(source, labels, self.path)

    def _read(self, file: str) -> Tensor:
        """(C, height, width), uint8."""
        picture = read_picture(file, file, grey=self.grey)
        if not self.crop and self.fit == "stretch" and not self._alike(picture):
            warn_once(
                *(_log, (self.path, self.size)),
                "%s: pictures are stretched to %dx%d, as %s of %dx%d; to keep their proportions: "
                "fit=crop or fit=pad",
                *(self.path, *self.shape, Path(file).name, picture.height, picture.width),
            )
        return to_tensor(self._fitted(picture, file))

    def _alike(self, picture: Image.Image) -> bool:
        """Whether it has the wanted proportions, but for rounding to whole pixels."""
        height, width = self.shape
        wanted = picture.height * width / height
        return abs(picture.width - wanted) <= max(1, 0.01 * wanted)

    def _fitted(self, picture: Image.Image, file: str) -> Image.Image:
        height, width = self.shape
        resample = Image.Resampling[self.interpolation.upper()]
        if self.crop:
            if self.resize:
                picture = shrunk(picture, self.resize, resample, file)
            return centred(picture, height, width)
        match self.fit:
            case "crop":
                return ImageOps.fit(picture, (width, height), resample)
            case "pad":
                return ImageOps.pad(picture, (width, height), resample)
            case _:
                return picture.resize((width, height), resample)


def _shuffled(pictures: Listing) -> Listing:
    return [pictures[i] for i in shuffled_order(len(pictures))]


def _listed(folder: Path) -> tuple[Listing, Sequence[str]]:
    try:
        found = ImageFolder(str(folder))
    except OSError as e:  # no class folder, or one without pictures
        reason = str(e).partition(". ")[0].rstrip(".")
        where = "" if str(folder) in reason else f"{folder}: "
        raise RunError(f"{where}{reason}; {_EXPECTED}") from e
    if len(found.classes) < 2:
        raise RunError(f"{folder} has one class, {found.classes[0]}; expected at least two folders")
    return found.samples, found.classes
