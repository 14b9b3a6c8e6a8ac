"""A folder of the user's own pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import EpsImagePlugin, Image
from torchvision import transforms

from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.spec import build

Pictures = Callable[..., str]


def load(spec: str, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
    return build(Dataset, spec).load(root)


def failure(spec: str, root: Path) -> str:
    with pytest.raises(RunError) as caught:
        load(spec, root)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_folder_of_pictures(pictures: Pictures, tmp_path: Path) -> None:
    spec = pictures(tmp_path)
    train, test, classes = load(f"{spec},size=16", Path("/nowhere"))
    assert classes == ("cat", "dog")
    assert len(train) == len(test) == 10 and train.shape == (3, 16, 16)
    assert train.pixels[0, 0, 8, 2] == 200 and train.pixels[0, 0, 8, 13] == 0
    assert torch.equal(train.pixels[:, 1, 0, 0].long(), 100 * train.labels)
    assert train.labels.tolist() not in ([0] * 5 + [1] * 5, [1] * 5 + [0] * 5)  # mixed
    assert sorted(train.pixels[train.labels == 0][:, 2, 0, 0].tolist()) == [0, 1, 2, 3, 4]


def test_pictures_of_the_right_size_are_kept_to_the_bit_and_grey_is_one_channel(
    tmp_path: Path,
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 2, 8, 8, 3), dtype=np.uint8)
    for part, images in zip(("train", "test"), noise, strict=True):
        for name, image in zip(("a", "b"), images, strict=True):
            (tmp_path / part / name).mkdir(parents=True)
            Image.fromarray(image).save(tmp_path / part / name / "picture.png")
    train, _, _ = load(f"folder:{tmp_path},size=8", Path())
    for pixels, label in zip(train.pixels, train.labels.tolist(), strict=True):
        assert torch.equal(pixels, torch.from_numpy(noise[0, label]).permute(2, 0, 1))
    assert load(f"folder:{tmp_path},size=8,grey=true", Path())[0].shape == (1, 8, 8)


def test_sizes_need_not_be_square(pictures: Pictures, tmp_path: Path) -> None:
    spec = pictures(tmp_path)  # 8x4: red on the left half
    train, _, _ = load(f"{spec},size=4x8", Path())
    assert train.shape == (3, 4, 8)
    assert train.pixels[0, 0, 0].tolist() == [200] * 4 + [0] * 4
    assert str(build(Dataset, f"{spec},size=16X16")) == f"{spec},size=16"
    for size in ("2x8", "8x2000", "a", "4x4x4", "-8"):
        with pytest.raises(UsageError, match=f"folder: size={size}"):
            build(Dataset, f"{spec},size={size}")


def test_stretching_is_said_once_and_crop_and_pad_keep_proportions(
    pictures: Pictures, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = pictures(tmp_path)
    load(f"{spec},size=4x8", Path())
    crop = load(f"{spec},size=4,fit=crop", Path())[0].pixels[0]
    assert crop[0].tolist() == [[200, 200, 0, 0]] * 4  # the middle
    pad = load(f"{spec},size=8,fit=pad", Path())[0].pixels[0]
    black, row = [0] * 8, [200] * 4 + [0] * 4
    assert pad[0].tolist() == [black] * 2 + [row] * 4 + [black] * 2
    assert not caplog.records
    for _ in range(2):
        load(f"{spec},size=8", Path())
    (said,) = caplog.messages
    assert re.search(r"pictures are stretched to 8x8, as \d\.png of 4x8; ", said)
    assert said.endswith("fit=crop or fit=pad")


def test_a_folder_without_train_and_test_is_split_80_to_20(
    pictures: Pictures, tmp_path: Path
) -> None:
    spec = pictures(tmp_path, parts=(".",), n=10)
    train, test, _ = load(spec, Path())
    assert train.labels.bincount().tolist() == [8, 8]
    assert test.labels.bincount().tolist() == [2, 2]
    seen = [(int(x[1, 0, 0]), int(x[2, 0, 0])) for x in (*train.pixels, *test.pixels)]
    assert len(set(seen)) == 20
    assert load(spec, Path())[1].digest() == test.digest()


def test_one_line_says_what_is_wrong_with_a_folder(pictures: Pictures, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no folder {tmp_path}/absent; expected PATH/train"):
        load(f"folder:{tmp_path}/absent", Path())
    assert f"any class folder in {tmp_path}; expected" in failure(f"folder:{tmp_path}", Path())

    (tmp_path / "one" / "cat").mkdir(parents=True)
    (tmp_path / "one" / "dog").mkdir()
    message = failure(f"folder:{tmp_path}/one", Path())
    assert message.startswith(f"{tmp_path}/one: Found no valid file for the classes cat, dog; ")

    spec = pictures(tmp_path / "two", parts=("train",))
    assert "has train/ alone" in failure(spec, Path())
    spec = pictures(tmp_path / "three")
    (tmp_path / "three" / "test" / "dog").rename(tmp_path / "three" / "test" / "dogs")
    assert failure(spec, Path()).endswith("need the same classes; one lacks dog, dogs")
    with pytest.raises(UsageError, match=r"folder needs a path: folder:PATH"):
        build(Dataset, "folder")


def test_one_class_or_one_picture_is_too_little(pictures: Pictures, tmp_path: Path) -> None:
    spec = pictures(tmp_path, parts=(".",), n=1)
    assert failure(spec, Path()).startswith("class cat has one picture")
    (tmp_path / "dog" / "0.png").unlink()
    (tmp_path / "dog").rmdir()
    assert "has one class, cat; expected at least two" in failure(spec, Path())


def test_an_unreadable_picture_is_named(
    pictures: Pictures, harm: Callable[[Path], None], tmp_path: Path
) -> None:
    spec = pictures(tmp_path)
    harm(tmp_path / "train" / "dog" / "3.png")
    assert failure(spec, Path()) == (
        f"cannot read the picture {tmp_path}/train/dog/3.png; it is damaged or no picture"
    )


def test_pictures_of_16_bits_are_refused_rather_than_clipped(
    pictures: Pictures, tmp_path: Path
) -> None:
    spec = pictures(tmp_path)
    deep = np.full((4, 4), 40000, dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "test" / "cat" / "9.png")
    assert failure(spec, Path()).endswith(
        "cat/9.png has more than 8 bits per channel; save it with 8"
    )


def noisy(height: int, width: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("resize", [None, 20])
@pytest.mark.parametrize("size", [(33, 47), (47, 32), (21, 21), (20, 31), (11, 40)])
def test_resize_and_crop_are_those_of_torchvision_to_the_pixel(
    interpolation: str, resize: int | None, size: tuple[int, int], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        noisy(*size).save(tmp_path / name / "0.png")
    cut, shape = ("15x18", (15, 18)) if resize is None else ("17", (17, 17))
    steps: list[Any] = [transforms.CenterCrop(shape), transforms.PILToTensor()]
    if resize:
        mode = transforms.InterpolationMode(interpolation)
        steps.insert(0, transforms.Resize(resize, mode))
    wanted = transforms.Compose(steps)(noisy(*size))
    options = f"crop={cut},interpolation={interpolation}" + (f",resize={resize}" if resize else "")
    _, test, _ = load(f"folder:{tmp_path},part=test,{options}", Path())
    assert torch.equal(test.pixels[0], wanted)


def test_a_strip_makes_no_more_memory_than_it_is_worth(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("L", (1, 20_000)).save(tmp_path / name / "0.png")
    message = failure(f"folder:{tmp_path},part=test,resize=64,crop=56", Path())
    assert re.search(r"/0\.png is 20000x1, too long to be resized to 64 pixels", message)
    _, test, _ = load(f"folder:{tmp_path},part=test,crop=8", Path())  # cut first, and then padded
    assert test.shape == (3, 8, 8)


def test_no_name_makes_a_program_a_picture(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostScript is run by Ghostscript, which Pillow would start."""
    spec = pictures(tmp_path)
    Image.new("RGB", (4, 4)).save(tmp_path / "test" / "cat" / "9.png", "EPS")
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("it was run"))
    assert failure(spec, Path()).endswith("cat/9.png; it is damaged or no picture")


def test_resize_needs_a_crop_and_neither_goes_with_size(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"resize=256 keeps proportions; .*: resize=256,crop=224"):
        build(Dataset, f"folder:{tmp_path},resize=256")
    for other in ("size=64", "fit=pad"):
        with pytest.raises(UsageError, match="size and fit, or resize and crop; not both"):
            build(Dataset, f"folder:{tmp_path},crop=224,{other}")
    with pytest.raises(UsageError, match="folder: crop=2000 is outside"):
        build(Dataset, f"folder:{tmp_path},crop=2000")
    spec = f"folder:{tmp_path},resize=256,crop=224x192"
    assert str(build(Dataset, spec)) == spec


def test_a_folder_of_test_pictures_only(pictures: Pictures, tmp_path: Path) -> None:
    spec = pictures(tmp_path, parts=(".",))
    train, test, classes = load(f"{spec},part=test", Path())
    assert (len(train), len(test), classes) == (0, 10, ("cat", "dog"))
    assert train.shape == test.shape and test.labels.bincount().tolist() == [5, 5]
    spec = pictures(tmp_path / "parted")
    with pytest.raises(UsageError, match="has train/ and test/; leave out part=test"):
        load(f"{spec},part=test", Path())
