"""The sets that torchvision reads, from small files in its layout, and what goes wrong there."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torchvision import datasets

from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.errors import RunError
from robustbench_cli.spec import build

Written = Callable[[str, Path], str]


def load(spec: str, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
    return build(Dataset, spec).load(root)


def failure(spec: str, root: Path) -> str:
    with pytest.raises(RunError) as caught:
        load(spec, root)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_mnist_is_read_upright_from_idx_files(written: Written, tmp_path: Path) -> None:
    written("mnist", tmp_path)
    train, test, classes = load("mnist", tmp_path)
    assert (len(train), len(test), train.shape) == (20, 10, (1, 28, 28))
    assert train.pixels[3, 0, :, 5].tolist() == list(range(28))
    assert train.labels[:12].tolist() == [*range(10), 0, 1]
    assert classes == tuple("0123456789")


@pytest.mark.usefixtures("any_md5")
@pytest.mark.parametrize("name", ["cifar10", "cifar100", "svhn"])
def test_colour_images_are_channels_first_and_upright(
    written: Written, name: str, tmp_path: Path
) -> None:
    written(name, tmp_path)
    _, test, classes = load(name, tmp_path)
    red, green, blue = test.pixels[7]
    assert red[:, 4].tolist() == list(range(32)) and red[4].unique().tolist() == [4]
    assert green[4].tolist() == list(range(100, 132)) and green[:, 4].unique().tolist() == [104]
    assert blue.unique().tolist() == [207]
    assert len(classes) == (100 if name == "cifar100" else 10)


@pytest.mark.usefixtures("any_md5")
def test_the_ten_of_svhn_is_a_zero(written: Written, tmp_path: Path) -> None:
    written("svhn", tmp_path)
    assert load("svhn", tmp_path)[1].labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


@pytest.mark.parametrize(
    ("name", "folder", "file"),
    [
        ("cifar10", "cifar-10-batches-py", "data_batch_1, data_batch_2"),
        ("cifar100", "cifar-100-python", "train, test and meta"),
        ("fashion-mnist", "FashionMNIST/raw", "train-images-idx3-ubyte, train-labels-idx1-ubyte"),
        ("mnist", "MNIST/raw", "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte"),
        ("svhn", "", "train_32x32.mat and test_32x32.mat"),
    ],
)
def test_absent_files_are_named_with_their_place(
    name: str, folder: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = failure(name, tmp_path / "data")
    assert message.startswith(f"{name}: {tmp_path / 'data' / folder} lacks ")
    assert file in message
    assert "the download failed (tests have no network); put them there" in message
    assert message.endswith("--data-dir DIR")
    assert capsys.readouterr() == ("", "")
    assert list((tmp_path / "data").iterdir()) == []  # nothing half-done stays


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "the download failed (" in failure("mnist", tmp_path / "file" / "data")


def test_what_is_downloaded_stays_and_stdout_stays_clean(
    written: Written,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def download(self: datasets.MNIST) -> None:
        print("Downloading http://...")
        if self.train:
            written("mnist", Path(self.root))

    monkeypatch.setattr(datasets.MNIST, "download", download)
    assert len(load("mnist", tmp_path / "new")[0]) == 20
    monkeypatch.undo()
    assert len(load("mnist", tmp_path / "new")[0]) == 20
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["MNIST"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_damaged_idx_files(
    written: Written, file: str, harm: Callable[[Path], None], tmp_path: Path
) -> None:
    written("mnist", tmp_path)
    harm(tmp_path / "MNIST" / "raw" / file)
    message = failure("mnist", tmp_path)
    assert file in message and "is damaged (" in message
    assert message.endswith("delete it, and the same command downloads it again")


def test_labels_that_are_no_classes_or_too_few(written: Written, tmp_path: Path) -> None:
    written("mnist", tmp_path)
    labels = tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    labels.write_bytes(struct.pack(">2i", 0x801, 20) + bytes([77] * 20))
    assert "labels from 77 to 77 for 10 classes" in failure("mnist", tmp_path)
    labels.write_bytes(struct.pack(">2i", 0x801, 19) + bytes(19))
    assert "20 images with 19 labels" in failure("mnist", tmp_path)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "svhn"])
def test_files_other_than_the_published_ones_are_refused(
    written: Written, name: str, tmp_path: Path
) -> None:
    written(name, tmp_path)
    message = failure(name, tmp_path)
    assert "is damaged (md5 differs from the published file's)" in message


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_foreign_pickle_is_never_opened(written: Written, tmp_path: Path) -> None:
    written("cifar10", tmp_path)
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    for file in (tmp_path / "cifar-10-batches-py").iterdir():
        file.write_bytes(bomb)
    failure("cifar10", tmp_path)
    assert not (tmp_path / "exploded").exists()
    pickle.loads(bomb)
    assert (tmp_path / "exploded").exists()
