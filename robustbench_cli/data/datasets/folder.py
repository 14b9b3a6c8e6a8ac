"""Your own pictures: folder:PATH with PATH/train/CLASS/*.png and PATH/test/CLASS/*.png.

The folders are read as torchvision's ImageFolder does: classes are the sorted names of the folders,
pictures may lie deeper, and png, jpg, bmp, ppm, tif and webp are known. Without train/ and test/,
PATH/CLASS/* is split 80 to 20, the same share of every class, always in the same way. Pictures are
decoded once and resized (bilinear, antialiased) to `size`, a square's side or HEIGHTxWIDTH; those
of other proportions are stretched, which is said: `fit=crop` keeps the middle, `fit=pad` keeps all
and adds black bars. Both parts are shuffled once, so that the first n test pictures have all
classes. A relative PATH starts at the working directory and is kept whole, so that it means the
same pictures from everywhere. Nothing is cropped or mirrored in training unless you ask for it.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Hashable
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.datasets import ImageFolder

from robustbench_cli.data import usual
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.data.pictures import read_picture, to_tensor
from robustbench_cli.data.split import shuffled_order, split_order
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.spec import param

_log = logging.getLogger(__name__)
_EXPECTED = "expected PATH/train/CLASS/*.png and PATH/test/CLASS/*.png, or PATH/CLASS/*.png"

Listing = tuple[list[tuple[str, int]], list[str]]  # (file, class) of each picture; class names


@dataclass(kw_only=True)
class Folder(Dataset):
    positional: ClassVar[str | None] = "path"
    epochs = 30
    eps: ClassVar[dict[str, str]] = usual.COLOUR
    train_eps: ClassVar[dict[str, str]] = usual.COLOUR_TRAINING
    ranges: ClassVar[dict[str, str]] = usual.COLOUR_RANGES

    path: str = param(MISSING, "the folder that has train/ and test/, or one folder per class")
    size: str = param("32", "pixels: the side of a square, or HEIGHTxWIDTH")
    fit: Literal["stretch", "crop", "pad"] = param("stretch", "pictures of other proportions")
    grey: bool = param(False, "one channel instead of red, green and blue")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.path = str(Path(self.path).expanduser().absolute())
        height, width = self.shape
        self.size = str(height) if height == width else f"{height}x{width}"

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width.

        Raises:
            UsageError: `size` is none.
        """
        sides = str(self.size).lower().split("x")
        if len(sides) > 2 or not all(re.fullmatch("[0-9]{1,4}", side) for side in sides):
            raise UsageError(
                f"folder: size={self.size} is no size; write pixels, as 32, or "
                "HEIGHTxWIDTH, as 20x36"
            )
        height, width = int(sides[0]), int(sides[-1])
        for side in (height, width):
            if not 4 <= side <= 1024:
                raise UsageError(f"folder: size={self.size} is outside [4, 1024]")
        return height, width

    def stamp(self) -> Hashable:
        files = sorted(path for path in Path(self.path).rglob("*") if path.is_file())
        found = ((path, path.stat()) for path in files)
        return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in found)

    @property
    def short(self) -> str:
        """With the folder's own name and a digest of the way there."""
        mark = hashlib.sha256(self.path.encode()).hexdigest()[:6]
        return str(self).replace(self.path, f"{Path(self.path).name}-{mark}", 1)

    @classmethod
    def whereabouts(cls, root: Path) -> str:
        return "wherever PATH says: --data folder:PATH"

    def load(self, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
        """`root` is not used: the pictures are where `path` says."""
        path = Path(self.path)
        if not path.is_dir():
            raise RunError(f"no folder {path}; {_EXPECTED}")
        parts = [path / "train", path / "test"]
        present = [part for part in parts if part.is_dir()]
        if len(present) == 1:
            raise RunError(f"{path} has {present[0].name}/ alone; {_EXPECTED}")
        if not present:
            pictures, classes = _list(path)
            labels = torch.tensor([label for _, label in pictures])
            train, test = ([pictures[i] for i in order] for order in split_order(labels, classes))
            return self._decode(train), self._decode(test), tuple(classes)
        (train, classes), (test, others) = (_list(part) for part in parts)
        if classes != others:
            unlike = ", ".join(sorted({*classes} ^ {*others}))
            raise RunError(f"{path}: train/ and test/ need the same classes; one lacks {unlike}")
        train, test = ([part[i] for i in shuffled_order(len(part))] for part in (train, test))
        return self._decode(train), self._decode(test), tuple(classes)

    def _decode(self, pictures: list[tuple[str, int]]) -> Images:
        shape = (1 if self.grey else 3, *self.shape)
        pixels = torch.empty((len(pictures), *shape), dtype=torch.uint8)
        for place, (file, _) in zip(pixels, pictures, strict=True):
            picture = read_picture(file, file, grey=self.grey)
            if self.fit == "stretch" and not self._alike(picture):
                _say_once(self.path, self.size, file, f"{picture.height}x{picture.width}")
            place.copy_(self._fitted(picture))
        return Images(pixels, torch.tensor([label for _, label in pictures]))

    def _alike(self, picture: Image.Image) -> bool:
        """Whether it has the wanted proportions, but for rounding to whole pixels."""
        height, width = self.shape
        wanted = picture.height * width / height
        return abs(picture.width - wanted) <= max(1, 0.01 * wanted)

    def _fitted(self, picture: Image.Image) -> Tensor:
        """(C, height, width), uint8."""
        height, width = self.shape
        resample = Image.Resampling.BILINEAR
        match self.fit:
            case "crop":
                picture = ImageOps.fit(picture, (width, height), resample)
            case "pad":
                picture = ImageOps.pad(picture, (width, height), resample)
            case _:
                picture = picture.resize((width, height), resample)
        return to_tensor(picture)


_said: set[tuple[str, str]] = set()


def _say_once(folder: str, size: str, file: str, found: str) -> None:
    if (folder, size) not in _said:
        _said.add((folder, size))
        _log.warning(
            "%s: pictures are stretched to %s, as %s of %s; to keep their proportions: fit=crop or "
            "fit=pad",
            *(folder, size if "x" in size else f"{size}x{size}", Path(file).name, found),
        )


def _list(folder: Path) -> Listing:
    try:
        found = ImageFolder(str(folder))
    except OSError as e:  # no class folder, or one without pictures
        reason = str(e).partition(". ")[0].rstrip(".")
        where = "" if str(folder) in reason else f"{folder}: "
        raise RunError(f"{where}{reason}; {_EXPECTED}") from e
    if len(found.classes) < 2:
        raise RunError(f"{folder} has one class, {found.classes[0]}; expected at least two folders")
    return found.samples, found.classes
