"""Arrays, tensors, torch data sets and loaders -> an .npz file below runs/.arrays, and its spec.

A file, because a run must find its images again, in another process and another year. It is named
after a digest of all that it holds, so that the same images are written once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler
from torch.utils.data import Dataset as TorchDataset

from robustbench_cli.data.arrays import Array, count_classes, to_images
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.errors import UsageError
from robustbench_cli.files import replacing
from robustbench_cli.runs.given import kind

from .kinds import ARRAYS, DataLike
from .specs import spec_of

FOLDER = ".arrays"
"""Below the folder of runs; hidden, so that ``runs/*`` stays all runs."""
Lone = Literal["split", "test"]
_TAKEN = (
    "a spec as text, a Dataset, (x, y) of arrays or tensors, a torch Dataset or DataLoader, "
    "or two of those: (train, test)"
)


@dataclass(frozen=True)
class Labelled:
    """Images in memory: `parts` by the end of their names in the file, and names of classes."""

    parts: dict[str, Images]
    names: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return next(iter(self.parts.values())).shape


def spec_or_images(given: DataLike, who: str, lone: Lone) -> str | Labelled:
    """The spec of a data set, or images in memory.

    `lone` says what images in one piece are: all test images, or split 80 to 20 as ``npz:`` does.

    Raises:
        UsageError: no data, or data that may mean two things.
    """
    a_class = isinstance(given, type) and issubclass(given, Dataset)
    if isinstance(given, (str, Dataset)) or a_class:
        return spec_of(given, Dataset, who)
    parts = _parts(given, who, lone)
    if len({images.shape for images in parts.values()}) > 1:
        shapes = " and ".join("x".join(map(str, images.shape)) for images in parts.values())
        raise UsageError(f"{who}: images to train and to test on are {shapes}; expected the same")
    return Labelled(parts, _names(given))


def store(images: Labelled, folder: Path, who: str, classes: int | None = None) -> str:
    """The spec of images in memory, once they are written below `folder`.

    `classes` is how many a network tells apart; without it, and without names, there is one more
    than the largest label.
    """
    names = images.names
    count = classes or len(names) or count_classes([*images.parts.values()], f"{who}: data")
    largest = max(int(part.labels.max()) for part in images.parts.values())
    if largest >= count:
        raise UsageError(f"{who}: a label {largest}, but {count} classes, numbered from 0")
    if len(names) != count:
        names = tuple(map(str, range(count)))
    return f"npz:{_write(images.parts, names, folder)}{_layout(images.shape)}"


def data_spec(given: DataLike, folder: Path, who: str, lone: Lone = "split") -> str:
    """The spec of data of any kind; those in memory are written below `folder`."""
    found = spec_or_images(given, who, lone)
    return found if isinstance(found, str) else store(found, folder, who)


def _parts(given: object, who: str, lone: Lone) -> dict[str, Images]:
    if isinstance(given, (tuple, list)) and len(given) == 2 and all(map(_is_part, given)):
        train, test = (_images(each, who) for each in given)
        return {"_train": train, "_test": test}
    if not _is_part(given):
        raise UsageError(f"{who} takes as data {_TAKEN}; got {kind(given)}{_inside(given)}")
    return {"_test" if lone == "test" else "": _images(given, who)}


def _is_part(given: object) -> bool:
    if isinstance(given, (tuple, list)):
        return len(given) == 2 and isinstance(given[0], ARRAYS)
    return isinstance(given, (TorchDataset, DataLoader))


def _inside(given: object) -> str:
    if isinstance(given, (tuple, list)):
        return f" of {', '.join(map(kind, given[:5])) or 'nothing'}"
    return ": two are needed, (x, y)" if isinstance(given, ARRAYS) else ""


def _images(given: Any, who: str) -> Images:
    if isinstance(given, (tuple, list)):
        x, y = given
    else:
        x, y = _collected(given, who)
    return to_images(_array(x), _array(y), f"{who}: data")


def _array(given: object) -> Array:
    if isinstance(given, Tensor):
        tensor = given.detach().cpu()
        return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return np.asarray(given)


def _collected(source: Any, who: str) -> tuple[Array, Array]:
    """All images and labels that a torch data set or loader gives, in the order of the set."""
    if isinstance(source, DataLoader):
        pairs = [_pair(batch, who) for batch in _in_order(source)]
        join: Any = np.concatenate
    else:
        every: Iterable[Any] = source
        if hasattr(source, "__len__"):
            every = (source[i] for i in range(len(source)))
        pairs = [_pair(sample, who) for sample in every]
        join = np.stack
    if not pairs:
        raise UsageError(f"{who}: the {type(source).__name__} gives no images")
    try:
        return join([x for x, _ in pairs]), join([y for _, y in pairs])
    except ValueError as e:
        shapes = sorted({"x".join(map(str, x.shape)) for x, _ in pairs})
        raise UsageError(f"{who}: images of several sizes: {', '.join(shapes[:3])}") from e


def _in_order(loader: DataLoader[Any]) -> Iterable[Any]:
    """Without shuffling, which would make other data of the same images each time."""
    shuffled = isinstance(loader.sampler, RandomSampler) and not loader.sampler.replacement
    if not shuffled or loader.batch_size is None:
        return loader
    return DataLoader(loader.dataset, loader.batch_size, collate_fn=loader.collate_fn)


def _pair(sample: object, who: str) -> tuple[Array, Array]:
    if not isinstance(sample, Sequence) or len(sample) < 2:
        raise UsageError(
            f"{who}: its data set gives {kind(sample)}, expected pairs of an image and a label"
        )
    x, y = sample[0], sample[1]
    return _array(x), _array(y)


def _names(given: Any) -> tuple[str, ...]:
    """Of the classes, where a torch data set says them."""
    source = given[0] if isinstance(given, (tuple, list)) else given
    while source is not None and not isinstance(source, ARRAYS):
        names = getattr(source, "classes", None)
        if isinstance(names, (list, tuple)) and len(set(map(str, names))) == len(names) > 1:
            return tuple(map(str, names))
        source = getattr(source, "dataset", None)  # of a loader, or a part of a set
    return ()


def _layout(shape: tuple[int, int, int]) -> str:
    """What a spec must add where shapes do not tell which axis is the channels'."""
    channels, _, width = shape
    return "" if channels in (1, 3) and width not in (1, 3) else ",layout=nchw"


def _write(parts: Mapping[str, Images], names: Sequence[str], folder: Path) -> Path:
    state = hashlib.sha256("\n".join(names).encode())
    for part, images in parts.items():
        state.update(f"{part} {images.dtype} {images.digest()}\n".encode())
    path = folder.absolute() / FOLDER / f"arrays-{state.hexdigest()[:12]}.npz"
    if path.is_file():
        return path
    arrays: dict[str, Any] = {"classes": np.array(names)}
    for part, images in parts.items():
        arrays |= {f"x{part}": images.pixels.numpy(), f"y{part}": images.labels.numpy()}
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(file, **arrays)
    return path
