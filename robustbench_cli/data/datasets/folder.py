"""Your own pictures: folder:PATH with PATH/train/CLASS/*.png and PATH/test/CLASS/*.png.

The folders are read as torchvision's ImageFolder does: classes are the sorted names of the folders,
pictures may lie deeper, and png, jpg, bmp, ppm, tif and webp are known. Without train/ and test/,
PATH/CLASS/* is split 80 to 20, the same share of every class, always in the same way. Pictures are
stretched to a square of `size` pixels (bilinear, antialiased) and decoded once; both parts are
shuffled once, so that the first n test pictures have all classes. A relative PATH starts at the
working directory and is kept whole, so that it means the same pictures from everywhere. Nothing is
cropped or mirrored in training unless you ask for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets import ImageFolder

from robustbench_cli.data import usual
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.data.split import shuffled, split
from robustbench_cli.errors import RunError
from robustbench_cli.spec import param

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
    size: int = param(32, "height and width in pixels", low=4, high=1024)
    grey: bool = param(False, "one channel instead of red, green and blue")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.path = str(Path(self.path).expanduser().absolute())

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
            return *split(self._decode(pictures), classes), tuple(classes)
        (train, classes), (test, others) = (_list(part) for part in parts)
        if classes != others:
            unlike = ", ".join(sorted({*classes} ^ {*others}))
            raise RunError(f"{path}: train/ and test/ need the same classes; one lacks {unlike}")
        return shuffled(self._decode(train)), shuffled(self._decode(test)), tuple(classes)

    def _decode(self, pictures: list[tuple[str, int]]) -> Images:
        shape = (1 if self.grey else 3, self.size, self.size)
        pixels = torch.empty((len(pictures), *shape), dtype=torch.uint8)
        for place, (file, _) in zip(pixels, pictures, strict=True):
            place.copy_(self._read(file))
        return Images(pixels, torch.tensor([label for _, label in pictures]))

    def _read(self, file: str) -> Tensor:
        """One picture as (C, size, size), uint8."""
        try:
            with Image.open(file) as opened:
                if opened.mode[0] in "IF":  # Pillow would clip these at 255
                    raise RunError(f"{file} has more than 8 bits per channel; save it with 8")
                picture = opened.convert("L" if self.grey else "RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
            raise RunError(f"cannot read the picture {file}; it is damaged or no picture") from e
        picture = picture.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return (
            torch.from_numpy(np.array(picture)).reshape(self.size, self.size, -1).permute(2, 0, 1)
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
