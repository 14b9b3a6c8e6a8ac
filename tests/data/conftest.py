"""Small data sets on disk, in the layouts of torchvision and of a folder of pictures."""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from torchvision import datasets


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError("tests have no network")

    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.fixture
def any_md5(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torchvision read files that are not the published ones."""
    for module in (datasets.cifar, datasets.svhn):
        monkeypatch.setattr(module, "check_integrity", lambda path, md5=None: Path(path).is_file())


def gradients(n: int) -> np.ndarray:
    """(n, 32, 32, 3): red grows downwards, green to the right, blue is the image's number."""
    down, right = np.mgrid[:32, :32]
    images = [np.stack([down, right + 100, np.full((32, 32), 200 + k)], axis=-1) for k in range(n)]
    return np.stack(images).astype(np.uint8)


def write_mnist(root: Path, folder: str = "MNIST") -> None:
    raw = root / folder / "raw"
    raw.mkdir(parents=True)
    for part, n in (("train", 20), ("t10k", 10)):
        pixels = gradients(n)[:, :28, :28, 0]
        header = struct.pack(">4i", 0x803, n, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = bytes(k % 10 for k in range(n))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, n) + labels)


def write_cifar(root: Path, source: type[Any], labels: str) -> None:
    folder = root / source.base_folder
    folder.mkdir(parents=True)
    for name, _ in source.train_list + source.test_list:
        pixels = gradients(10).transpose(0, 3, 1, 2).reshape(10, -1)
        (folder / name).write_bytes(pickle.dumps({"data": pixels, labels: list(range(10))}))
    classes = [f"class {k}" for k in range(100 if source is datasets.CIFAR100 else 10)]
    meta = {source.meta["key"]: classes}
    (folder / source.meta["filename"]).write_bytes(pickle.dumps(meta))


def write_svhn(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for part, n in (("train", 20), ("test", 10)):
        labels = np.arange(n)[:, None] % 10 + 1  # 1 to 10, and 10 means 0
        about = {"X": gradients(n).transpose(1, 2, 3, 0), "y": labels.astype(np.uint8)}
        savemat(root / f"{part}_32x32.mat", about)


def write_pictures(root: Path, parts: tuple[str, ...] = ("train", "test"), n: int = 5) -> str:
    """`n` pictures of 8x4 pixels per class, red on the left half; the spec that loads them."""
    for part in parts:
        for label, name in enumerate(("cat", "dog")):
            (root / part / name).mkdir(parents=True)
            for k in range(n):
                picture = np.zeros((4, 8, 3), dtype=np.uint8)
                picture[:, :4, 0], picture[..., 1], picture[..., 2] = 200, 100 * label, k
                Image.fromarray(picture).save(root / part / name / f"{k}.png")
    return f"folder:{root}"


def write_arrays(root: Path) -> str:
    """20 images to train on and 10 to test on, (N, H, W, C) of uint8; the spec that loads them."""
    x, y = gradients(30), np.arange(30) % 10
    root.mkdir(parents=True, exist_ok=True)
    np.savez(root / "own.npz", x_train=x[:20], y_train=y[:20], x_test=x[20:], y_test=y[20:])
    return f"npz:{root / 'own.npz'}"


def write_tiny_imagenet(root: Path, ids: tuple[str, ...] = ("n02", "n01"), n: int = 3) -> None:
    """`n` pictures of each class in each part; red is 100 times the place of the class in `ids`."""
    home, lines = root / "tiny-imagenet-200", []
    (home / "val" / "images").mkdir(parents=True)
    for k in range(n):
        for red, each in enumerate(ids):
            place = home / "train" / each / "images"
            place.mkdir(parents=True, exist_ok=True)
            picture = Image.new("RGB", (64, 64), (100 * red, 10 * k, 0))
            picture.save(place / f"{each}_{k}.JPEG")
            name = f"val_{len(lines)}.JPEG"
            picture.convert("L" if k else "RGB").save(home / "val" / "images" / name)
            lines.append(f"{name}\t{each}\t0\t0\t63\t63\n")
    (home / "val" / "val_annotations.txt").write_text("".join(lines))
    (home / "wnids.txt").write_text("\n".join(ids))
    (home / "words.txt").write_text("n01\tcrane, bird\nn02\tgoldfish, Carassius\nn09\talp\n")


WRITE: dict[str, Callable[[Path], Any]] = {
    "cifar10": lambda root: write_cifar(root, datasets.CIFAR10, "labels"),
    "cifar100": lambda root: write_cifar(root, datasets.CIFAR100, "fine_labels"),
    "digits": lambda root: None,
    "fashion-mnist": lambda root: write_mnist(root, "FashionMNIST"),
    "folder": write_pictures,
    "mnist": write_mnist,
    "npz": write_arrays,
    "spirals": lambda root: None,
    "svhn": write_svhn,
    "tiny-imagenet": write_tiny_imagenet,
}
"""How to make each data set readable under a root; a new one that needs no files needs no entry."""


@pytest.fixture
def written() -> Callable[[str, Path], str]:
    """Write data set `name` below `root`; returns the spec that loads it."""
    return lambda name, root: WRITE.get(name, lambda root: None)(root) or name


@pytest.fixture
def pictures() -> Callable[..., str]:
    return write_pictures


def page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html>Not found</html>")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.fixture(params=[page, cut, empty])
def harm(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """One way for a file to be damaged: a web page saved in its place, cut short, emptied."""
    return request.param
