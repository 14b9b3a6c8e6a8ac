"""Tiny-ImageNet as its authors lay it out, unpacked or in its archive."""

from __future__ import annotations

import shutil
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from robustbench_cli.data.corruptions.published import open_published
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.data.datasets import tiny_imagenet
from robustbench_cli.data.trees import Zipped
from robustbench_cli.errors import RunError
from robustbench_cli.spec import build

HOME = "tiny-imagenet-200"
ALL = ("n02", "n01")


def load(root: Path) -> tuple[Images, Images, tuple[str, ...]]:
    return build(Dataset, "tiny-imagenet").load(root)


def failure(root: Path) -> str:
    with pytest.raises(RunError) as caught:
        load(root)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def home(written: Callable[[str, Path], str], tmp_path: Path) -> Path:
    written("tiny-imagenet", tmp_path)
    return tmp_path / HOME


def zipped(home: Path, **options: int) -> Path:
    """The archive beside the folder, which goes."""
    path = home.parent / f"{HOME}.zip"
    with zipfile.ZipFile(path, "w", **options) as archive:  # type: ignore[call-overload]
        for file in sorted(home.rglob("*")):
            archive.write(file, file.relative_to(home.parent))
    shutil.rmtree(home)
    return path


def test_classes_are_sorted_by_id_and_called_by_their_first_word(home: Path) -> None:
    train, test, classes = load(home.parent)
    assert classes == ("crane", "goldfish")  # n01, n02; wnids.txt has them the other way round
    assert (len(train), len(test), train.shape) == (6, 6, (3, 64, 64))
    assert train.labels.bincount().tolist() == [3, 3]
    red = train.pixels[:, 0].float().mean((1, 2))
    assert torch.equal(red.gt(50), train.labels == 0)  # n01 is the second of the written ids
    assert test.labels.tolist() == [1, 0] * 3  # the order of the annotations


def test_the_archive_holds_the_same_data_set_and_stays_packed(home: Path) -> None:
    unpacked = load(home.parent)
    zipped(home, compression=zipfile.ZIP_DEFLATED)
    packed = load(home.parent)
    assert [part.digest() for part in packed[:2]] == [part.digest() for part in unpacked[:2]]
    assert packed[2] == unpacked[2]
    assert [path.name for path in home.parent.iterdir()] == [f"{HOME}.zip"]


def test_a_part_of_the_classes_is_a_data_set_of_its_own_and_said_once(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "wnids.txt").write_text("n01\nn02\nn03\n")
    for _ in range(2):
        _, test, classes = load(home.parent)
    (said,) = caplog.messages
    assert said.startswith(f"{home} has 2 of Tiny-ImageNet's 200 classes")
    shutil.rmtree(home / "train" / "n02")
    assert failure(home.parent).startswith(f"{home} has pictures of 1 of the 3 classes")
    assert len(test) == 6 and len(classes) == 2


def test_names_that_are_shared_are_told_apart(home: Path) -> None:
    (home / "words.txt").write_text("n01\tcrane, bird\nn02\tcrane, machine\n")
    assert load(home.parent)[2] == ("crane, bird", "crane, machine")
    (home / "words.txt").write_text("n01\tcrane\nn02\tcrane\n")
    assert load(home.parent)[2] == ("n01", "n02")
    (home / "words.txt").unlink()
    assert load(home.parent)[2] == ("n01", "n02")


def test_corrupted_pictures_are_found_by_id(home: Path) -> None:
    _, test, _ = load(home.parent)
    for each in ALL:
        place = home.parent / "Tiny-ImageNet-C" / "fog" / "1" / each
        place.mkdir(parents=True)
        Image.new("RGB", (64, 64), (100 * ALL.index(each), 0, 0)).save(place / "test_0.JPEG")
    (block,) = open_published(home.parent / "Tiny-ImageNet-C", test).blocks("fog", 1)
    red = block.pixels[:, 0].float().mean((1, 2))
    assert torch.equal(red.gt(50), block.labels == 0)


def test_what_is_absent_is_named_with_its_source(home: Path, tmp_path: Path) -> None:
    message = failure(tmp_path / "absent")
    assert message.startswith(
        f"tiny-imagenet: {tmp_path}/absent has neither {HOME}/ nor {HOME}.zip"
    )
    assert "get it from http" in message and message.endswith("--data-dir DIR")
    (home / "val" / "images" / "val_3.JPEG").unlink()
    assert failure(tmp_path) == (
        f"cannot read {home}/val/images/val_3.JPEG: No such file or directory"
    )
    (home / "val" / "val_annotations.txt").write_text("")
    assert "val_annotations.txt names no picture" in failure(tmp_path)


def test_a_damaged_archive_or_picture(home: Path, harm: Callable[[Path], None]) -> None:
    harm(home / "train" / "n01" / "images" / "n01_1.JPEG")
    assert failure(home.parent).endswith("n01_1.JPEG; it is damaged or no picture")
    harm(zipped(home))
    assert failure(home.parent).startswith(f"cannot read {home}.zip: ")


def test_no_file_is_larger_than_a_picture_is_worth(home: Path) -> None:
    big = home / "train" / "n01" / "images" / "n01_1.JPEG"
    big.write_bytes(bytes(2**20 + 1))
    assert failure(home.parent).endswith("n01_1.JPEG has 1048577 bytes; expected 1048576 at most")
    Image.new("RGB", (65, 64)).save(big)
    assert failure(home.parent) == f"{big} is 64x65; expected 64x64"
    big.write_bytes(bytes(2**20 + 1))
    path = zipped(home, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**15
    assert failure(home.parent).endswith("n01_1.JPEG has 1048577 bytes; expected 1048576 at most")


def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    """The directory says 4 bytes, and a megabyte would unfold."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("home/a", bytes(2**20))
    data = path.read_bytes()
    size = (2**20).to_bytes(4, "little")
    assert data.count(size) == 2  # beside the data, and in the directory
    path.write_bytes(data.replace(size, (4).to_bytes(4, "little")))
    with pytest.raises(RunError, match=r"home/a: Bad CRC-32"):
        Zipped(path, "home").read("a", 100)


@pytest.mark.parametrize("way", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_no_more_of_a_member_is_unfolded_than_it_says(way: int, tmp_path: Path) -> None:
    path, size = tmp_path / "bomb.zip", 2**24
    with zipfile.ZipFile(path, "w", way) as archive:
        archive.writestr("home/a", bytes(size))
    path.write_bytes(path.read_bytes().replace(size.to_bytes(4, "little"), bytes([4, 0, 0, 0])))
    tree = Zipped(path, "home")
    assert tree.has("a")  # what the directory of the archive takes is not counted
    tracemalloc.start()
    try:
        with pytest.raises(RunError, match=r"Bad CRC-32|another way than deflate"):
            tree.read("a", 100)
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


def test_annotations_lead_nowhere_else(home: Path) -> None:
    (home / "val" / "val_annotations.txt").write_text("../../x.JPEG\tn01\t0\t0\t63\t63\n")
    assert "val_annotations.txt names no picture in '../../x.JPEG" in failure(home.parent)


def test_no_more_pictures_than_there_are(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_imagenet, "_EACH", 2)
    assert "images has 3 pictures; expected 1 to 2" in failure(home.parent)


def test_doctor_knows_where_it_lies(home: Path) -> None:
    where = tiny_imagenet.TinyImagenet.whereabouts
    assert where(home.parent) == f"in {home}"
    assert where(home).startswith(f"not in {home / HOME}, nor as {HOME}.zip; get it from ")
    zipped(home)
    assert where(home.parent) == f"in {home}.zip"
