"""The contract of a data set, its splits, and batches made on the device.

A set that fits is one uint8 tensor on the device: no worker processes, no per-sample decoding, and
the same code on CPU and GPU. One that does not is read in parts (`images.py`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.spec import Plugin

from . import usual
from .images import Images as Images
from .images import scale as scale

_WITH_TRAINING = (
    "part=test and list=FILE give none; x_train and y_train in a file do, as PATH/train, and in "
    "Python data=((x, y), (x_test, y_test))"
)
SPLIT_SEED = 0  # the validation split is the same for every run, so that runs can be compared


@dataclass(kw_only=True)
class Dataset(Plugin):
    """Where images come from, and what is usual to do with them."""

    room: ClassVar[str] = "datasets"
    epochs: ClassVar[int] = 10
    batch_size: ClassVar[int] = 128
    padding: ClassVar[int] = 0  # before the usual training crop, in pixels; 0 for no crop
    flip: ClassVar[bool] = False  # whether a mirrored training image keeps its label
    eps: ClassVar[dict[str, str]] = usual.GREY  # by norm: for `attack`
    train_eps: ClassVar[dict[str, str]] = usual.GREY_TRAINING  # ... to train with
    optimizer: ClassVar[Literal["sgd", "adam"]] = "adam"
    weight_decay: ClassVar[float] = 0.0
    ranges: ClassVar[dict[str, str]] = usual.GREY_RANGES  # ... for sweeps
    quoted: ClassVar[usual.Quoted] = {}  # at which papers compare networks; none for your own data

    def usual_eps(self, norm: str, which: Literal["eps", "train_eps", "ranges"] = "eps") -> str:
        """What is usual in a norm: an epsilon, or a range of them.

        Raises:
            UsageError: this data set names none.
        """
        found: dict[str, str] = {"none": usual.SHARES[which], **getattr(self, which)}
        if norm not in found:
            option = "--eps-range 0:10:1" if which == "ranges" else "--eps 1"
            raise UsageError(f"{self.name} has no usual {norm} epsilons; type them: {option}")
        return found[norm]

    def load(self, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
        """Training images, test images, and the names of the classes.

        `root` is the folder that holds all data sets. What the network offers is downloaded.

        Raises:
            RunError: absent and not to be downloaded; says which file belongs where.
        """
        raise NotImplementedError

    @classmethod
    def whereabouts(cls, root: Path) -> str:
        """Where its files are, for a reader; without opening them."""
        return "always there"

    def stamp(self) -> Hashable:
        """Another value whenever files of the user's own have changed; read without opening them.

        What was loaded once is used again in one process as long as this stays.
        """
        return None

    @property
    def short(self) -> str:
        """How runs are called that use it: the spec, where that is short."""
        return str(self)


@dataclass(frozen=True, eq=False)
class Data:
    """One data set, split and on its device."""

    dataset: Dataset
    train: Images
    validation: Images
    test: Images
    classes: tuple[str, ...]
    mean: tuple[
        float, ...
    ]  # per channel, of the training pixels in [0, 1]; () where there are none
    std: tuple[float, ...]

    def facts(self) -> dict[str, Any]:
        """What a run writes down of its data, so that it knows them again."""
        return {
            "shape": list(self.train.shape),
            "classes": list(self.classes),
            "train_size": len(self.train),
            "train_digest": self.train.digest(),
            "test_digest": self.test.digest(),
        }


def open_data(
    dataset: Dataset,
    root: Path,
    device: torch.device | None = None,
    *,
    validation: float = 0.1,
    train_fraction: float = 1.0,
    label_noise: float = 0.0,
    seed: int = 0,
    trains: bool = True,
) -> Data:
    """Load and split.

    The validation part is held out of the training images, stratified, and the same for every
    seed; about 5,000 images at most. `train_fraction` of the rest is kept, stratified. Of the
    labels that are left, a share `label_noise` moves to a uniformly drawn *other* class. The last
    two depend on `seed`; validation and test labels are never touched.

    Unless something `trains`, a set of test images alone will do; it has no mean.
    """
    train, test, classes = dataset.load(root)
    device = device or torch.device("cpu")
    if not len(train) and not trains:
        nothing = train.to(device)
        return Data(dataset, nothing, nothing, test.to(device), classes, (), ())
    if not len(train):
        raise RunError(f"{dataset} has no training images, and this needs some; {_WITH_TRAINING}")
    shares = {"train-fraction": train_fraction, "label-noise": label_noise}
    for name, share in {"validation": validation, **shares}.items():
        if not 0 <= share <= 1 or (name == "train-fraction" and share == 0):
            raise UsageError(f"--{name} {share} is no share; expected a number from 0 to 1")
    mean, std = statistics(train)
    held = stratified(train.labels, min(validation, 5000 / len(train)), SPLIT_SEED)
    rest = torch.ones(len(train), dtype=torch.bool)
    rest[held] = False
    held_out, train = train[held], train[rest.nonzero()[:, 0]]
    if not len(train):
        raise UsageError(f"--validation {validation} leaves no image to train on; choose less")
    if train_fraction < 1:
        train = train[stratified(train.labels, train_fraction, seed)]
    if label_noise:
        train = train.relabelled(noisy(train.labels, len(classes), label_noise, seed))
    train, held_out, test = (part.to(device) for part in (train, held_out, test))
    return Data(dataset, train, held_out, test, classes, mean, std)


def statistics(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over all pixels, in [0, 1]."""
    parts = (block.pixels.transpose(0, 1).flatten(1) for block in images.blocks())
    if images.dtype == torch.uint8:  # exact from a histogram, without a float copy of the set
        counts = sum(
            torch.stack([torch.bincount(c, minlength=256) for c in channels]) for channels in parts
        )
        values = torch.arange(256, dtype=torch.double, device=images.device) / 255
        counts = torch.as_tensor(counts).double()
        mean = counts @ values / counts.sum(1)
        square = counts @ values**2 / counts.sum(1)
        std = (square - mean**2).clamp(min=0).sqrt()
    else:
        channels = torch.cat([*parts], 1).double()
        mean, std = channels.mean(1), channels.std(1, correction=0)
    return tuple(mean.tolist()), tuple(std.clamp(min=1e-3).tolist())


def stratified(labels: Tensor, share: float, seed: int) -> Tensor:
    """Sorted indices of about `share` of the samples, the same share of every class.

    A class keeps at least one sample while `share` > 0.
    """
    if not share:
        return torch.empty(0, dtype=torch.long)
    rng = np.random.default_rng(seed)
    values = labels.cpu().numpy()
    kept = []
    for value in np.unique(values):
        members = rng.permutation(np.flatnonzero(values == value))
        kept.append(members[: max(1, round(share * len(members)))])
    return torch.from_numpy(np.sort(np.concatenate(kept)))


def noisy(labels: Tensor, classes: int, share: float, seed: int) -> Tensor:
    """Labels of which exactly a rounded `share` moved to another class, drawn uniformly."""
    rng = np.random.default_rng([seed, 1])
    moved = labels.cpu().numpy().copy()
    chosen = rng.permutation(len(moved))[: round(share * len(moved))]
    moved[chosen] = (moved[chosen] + rng.integers(1, classes, len(chosen))) % classes
    return torch.from_numpy(moved).to(labels.device)


def batches(
    images: Images, size: int, *, crop: int = 0, flip: bool = False, shuffle: bool = True
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch: x (n, C, H, W) float32 in [0, 1] and labels (n,), drawn from torch's generator.

    A last batch of one sample is left out when shuffling: batch norm cannot train on it.
    """
    # drawn on the CPU, so that the order does not depend on the device
    order = torch.randperm(len(images)) if shuffle else torch.arange(len(images))
    parts = torch.split(order.to(images.home), size)
    least = 2 if shuffle and min(size, len(images)) > 1 else 1
    for part in images.each(part for part in parts if len(part) >= least):
        pixels = part.pixels
        if crop:
            pixels = random_crop(pixels, crop)
        if flip:
            pixels = random_flip(pixels)
        yield scale(pixels), part.labels


def random_crop(pixels: Tensor, padding: int) -> Tensor:
    """Pad with zeros and cut each image at a place of its own; (N, C, H, W) stays that shape."""
    n, _, height, width = pixels.shape
    padded = F.pad(pixels, (padding,) * 4)
    rows, columns = (_drawn(torch.randint(2 * padding + 1, (n, 1)), pixels) for _ in range(2))
    rows = rows + torch.arange(height, device=pixels.device)
    columns = columns + torch.arange(width, device=pixels.device)
    sample = torch.arange(n, device=pixels.device)[:, None, None]
    cut = padded.permute(0, 2, 3, 1)[sample, rows[:, :, None], columns[:, None, :]]
    return cut.permute(0, 3, 1, 2).contiguous()


def random_flip(pixels: Tensor) -> Tensor:
    """Mirror each image left to right with probability one half."""
    mirrored = _drawn(torch.rand(len(pixels), 1, 1, 1), pixels) < 0.5
    return torch.where(mirrored, pixels.flip(3), pixels)


def _drawn(numbers: Tensor, pixels: Tensor) -> Tensor:
    """Random numbers of the host, where `pixels` are; nobody waits for their journey."""
    return numbers.to(pixels.device, non_blocking=True)
