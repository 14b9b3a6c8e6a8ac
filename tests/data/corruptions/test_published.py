"""The authors' layouts on a small scale, and files that are not what they should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustbench_cli.data.corruptions.published import fingerprint, open_published
from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import RunError

N = 6


def clean(channels: int = 3) -> Images:
    pixels = torch.zeros(N, channels, 8, 8, dtype=torch.uint8)
    return Images(pixels, torch.arange(N) % 3, ("ant", "bee", "cat"))


def write_blocks(folder: Path) -> None:
    """Red is the number of the image in the whole array."""
    pixels = np.zeros((5 * N, 8, 8, 3), np.uint8)
    pixels[..., 0] = np.arange(5 * N)[:, None, None]
    np.save(folder / "fog.npy", pixels)
    np.save(folder / "labels.npy", np.tile(np.arange(N, dtype=np.uint8) % 3, 5))


def test_severities_lie_one_after_the_other(tmp_path: Path) -> None:
    write_blocks(tmp_path)
    found = open_published(tmp_path, clean(), 4)
    assert found.cells == tuple(("fog", s) for s in range(1, 6))
    (block,) = found.blocks("fog", 3)
    assert block.pixels[:, 0, 0, 0].tolist() == [12, 13, 14, 15]
    assert block.labels.tolist() == [0, 1, 2, 0]


def test_folders_have_one_severity_each(tmp_path: Path) -> None:
    for name in ("zigzag", "identity"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "test_images.npy", np.full((N, 8, 8, 1), 7, np.uint8))
        np.save(tmp_path / name / "test_labels.npy", np.arange(N) % 3)
    found = open_published(tmp_path, clean(1))
    assert found.cells == (("zigzag", 1),)
    (block,) = found.blocks("zigzag", 1)
    assert block.pixels.shape == (N, 1, 8, 8) and block.pixels.eq(7).all()


def test_pictures_lie_in_folders_of_their_class(tmp_path: Path) -> None:
    for label, name in enumerate(("ant", "cat")):
        (tmp_path / "snow" / "1" / name).mkdir(parents=True)
        for k in range(3):
            picture = Image.new("RGB", (8, 8), (100 * label, 0, 0))
            picture.save(tmp_path / "snow" / "1" / name / f"{k}.JPEG", quality=95)
    found = open_published(tmp_path, clean())
    assert found.cells == (("snow", 1),)
    (block,) = found.blocks("snow", 1)
    assert sorted(block.labels.tolist()) == [0, 0, 0, 2, 2, 2]
    assert ((block.pixels[:, 0, 0, 0] > 50) == (block.labels == 2)).all()
    (tmp_path / "snow" / "1" / "ant" / "0.JPEG").write_bytes(b"no picture")
    with pytest.raises(RunError, match=r"cannot read the picture .*0\.JPEG"):
        list(found.blocks("snow", 1))
    (tmp_path / "snow" / "1" / "dog").mkdir()
    with pytest.raises(RunError, match="dog is no class of the data set"):
        list(found.blocks("snow", 1))


def test_a_fingerprint_tells_files_apart(tmp_path: Path) -> None:
    write_blocks(tmp_path)
    before = fingerprint(tmp_path)
    assert before == fingerprint(tmp_path)
    pixels = np.load(tmp_path / "fog.npy")
    pixels[-1, -1, -1, -1] ^= 1
    np.save(tmp_path / "fog.npy", pixels)
    assert fingerprint(tmp_path) != before


def test_what_is_not_there_says_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(RunError) as refusal:
        fingerprint(tmp_path / "CIFAR-10-C")
    assert "https://zenodo.org/records/2535967" in str(refusal.value)
    assert "type -n corruptions:images=made" in str(refusal.value)
    with pytest.raises(RunError, match="holds no corrupted images; expected NAME"):
        open_published(tmp_path, clean())


def other_labels(folder: Path) -> None:
    np.save(folder / "labels.npy", np.zeros(5 * N, np.uint8))


def too_few(folder: Path) -> None:
    np.save(folder / "fog.npy", np.zeros((4 * N, 8, 8, 3), np.uint8))


def floats(folder: Path) -> None:
    np.save(folder / "fog.npy", np.zeros((5 * N, 8, 8, 3)))


def objects(folder: Path) -> None:
    np.save(folder / "fog.npy", np.array([print], object), allow_pickle=True)


def cut(folder: Path) -> None:
    path = folder / "fog.npy"
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (other_labels, "are not those of the test set"),
        (too_few, r"expected uint8 of \(30, 8, 8, 3\)"),
        (floats, "holds float64"),
        (objects, "cannot read .*fog.npy"),
        (cut, "cannot read .*fog.npy"),
    ],
)
def test_other_files_are_refused(
    harm: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    write_blocks(tmp_path)
    harm(tmp_path)
    with pytest.raises(RunError, match=message):
        list(open_published(tmp_path, clean()).blocks("fog", 1))
