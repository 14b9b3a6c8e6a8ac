"""Arrays of the user's own: what they may look like, and what is asked, refused or never run."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robustbench_cli.data.dataset import Dataset, Images, open_data
from robustbench_cli.errors import RobustmixError, RunError, UsageError
from robustbench_cli.spec import build

X = np.random.default_rng(0).integers(0, 256, (20, 3, 4, 6), dtype=np.uint8)
Y = np.arange(20) % 2


def load(spec: str) -> tuple[Images, Images, tuple[str, ...]]:
    return build(Dataset, spec).load(Path("/nowhere"))


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    """Write arrays into a file of this name; returns its path as text."""

    def write(name: str = "own.npz", **arrays: Any) -> str:
        np.savez(tmp_path / name, **arrays)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(
    "given",
    [
        X,
        np.moveaxis(X, 1, 3),
        X.astype(np.int64),
        X.astype(np.float64),
        X.astype(np.float32) / 255,
        (X / 255.0).astype(np.float32),
    ],
    ids=["uint8", "channels last", "int64", "0..255 floats", "float32", "from float64"],
)
def test_the_same_pictures_are_the_same_to_the_bit(saved: Any, given: Any) -> None:
    path = saved(x_train=X, y_train=Y, x_test=given, y_test=Y)
    train, test, classes = load(f"npz:{path}")
    assert classes == ("0", "1")
    assert test.pixels.dtype == torch.uint8 and torch.equal(test.pixels, torch.from_numpy(X))
    assert test.digest() == train.digest()


def test_floats_that_are_no_255ths_stay_floats(saved: Any) -> None:
    x = np.random.default_rng(0).random((20, 5, 7))
    _, test, _ = load(f"npz:{saved(x=x, y=Y)},part=test")
    assert test.shape == (1, 5, 7)
    assert torch.equal(test.x, torch.from_numpy(x[:, None].astype(np.float32)))


def test_a_set_in_one_piece_is_split_alike_or_all_of_it_is_for_testing(saved: Any) -> None:
    path = saved(images=X, labels=Y[:, None])
    train, test, _ = load(f"npz:{path}")
    assert train.labels.bincount().tolist() == [8, 8]
    assert test.labels.bincount().tolist() == [2, 2]
    seen = {bytes(x.numpy().tobytes()) for x in (*train.pixels, *test.pixels)}
    assert seen == {x.tobytes() for x in X}
    assert load(f"npz:{path}")[1].digest() == test.digest()

    nothing, whole, _ = load(f"npz:{path},part=test")
    assert len(nothing) == 0 and torch.equal(whole.pixels, torch.from_numpy(X))
    with pytest.raises(RunError, match="has no training images"):
        open_data(build(Dataset, f"npz:{path},part=test"), Path())


def test_a_pair_of_npy_files_and_a_test_part_of_its_own(saved: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", np.eye(2)[Y])
    spec = f"npz:{tmp_path}/x.npy,labels={tmp_path}/y.npy"
    assert len(load(spec)[0]) == 16
    train, test, _ = load(f"{spec},test={saved(x=X[:4], y=Y[:4])}")
    assert (len(train), len(test)) == (20, 4)
    assert train.labels.tolist() == Y.tolist()  # as given, not shuffled
    with pytest.raises(UsageError, match="name their labels: labels="):
        load(f"npz:{tmp_path}/x.npy")


def test_classes_are_counted_named_or_said(saved: Any) -> None:
    assert load(f"npz:{saved(x=X, y=Y, classes=np.array(['cat', 'dog']))}")[2] == ("cat", "dog")
    assert len(load(f"npz:{saved(x=X, y=Y)},classes=5")[2]) == 5
    assert "subtract 1" in failure(f"npz:{saved(x=X, y=Y + 1)}")
    assert "a label 7, but 2 classes" in failure(f"npz:{saved(x=X, y=Y * 7)},classes=2")


def failure(spec: str) -> str:
    with pytest.raises(RobustmixError) as caught:
        load(spec)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (X[:, :, :3, :3], Y, "say which: layout=nchw or layout=nhwc"),
        (X[:, :2], Y, "neither has 1 or 3 channels"),
        (X.reshape(20, -1), Y, "images of shape 20x72; expected (N, C, H, W)"),
        (X / 200.0, Y, "divide them by 255"),
        (X.astype(np.uint16) * 200, Y, "divide them by 65535"),
        (X / 255.0 - 0.5, Y, "normalisation belongs to the network"),
        (X % 2, Y, "as whole numbers, so they may mean black and white"),
        (np.full((20, 4, 4), np.nan), Y, "some pixels are not finite"),
        (X, Y[:19], "20 images and 19 labels"),
        (X, Y / 3, "labels of float64"),
        (X, -Y, "labels go from -1 to 0"),
        (X, Y * 10**9, "labels go from 0 to 1e+09"),
        (X, Y * 0, "all images are of class 0"),
    ],
)
def test_what_can_be_meant_in_two_ways_is_asked(saved: Any, x: Any, y: Any, said: str) -> None:
    assert said in failure(f"npz:{saved(x=x, y=y)}")


def test_a_layout_answers(saved: Any) -> None:
    square = X[:, :, :3, :3]  # (20, 3, 3, 3)
    first = load(f"npz:{saved(x=square, y=Y)},layout=nchw,part=test")[1]
    last = load(f"npz:{saved(x=square, y=Y)},layout=nhwc,part=test")[1]
    assert torch.equal(last.pixels, first.pixels.permute(0, 3, 1, 2))


def test_pickles_are_never_loaded(saved: Any, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("somebody's code ran",))

    objects = np.array([Trap(), Trap()], dtype=object)
    assert "never unpickled" in failure(f"npz:{saved(x=objects, y=Y)}")
    np.save(tmp_path / "x.npy", objects)
    np.save(tmp_path / "y.npy", Y)
    spec = f"npz:{tmp_path}/x.npy,labels={tmp_path}/y.npy"
    assert "never unpickled" in failure(spec)


def test_no_more_memory_is_made_than_a_file_is_worth(tmp_path: Path) -> None:
    header = io.BytesIO()
    claim = {"descr": "|u1", "fortran_order": False, "shape": (10**12, 3, 32, 32)}
    np.lib.format.write_array_header_1_0(header, claim)
    labels = io.BytesIO()
    np.save(labels, Y)
    with zipfile.ZipFile(tmp_path / "liar.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(100))
        archive.writestr("y.npy", labels.getvalue())
    assert "its header and its size do not agree" in failure(f"npz:{tmp_path}/liar.npz")
    (tmp_path / "x.npy").write_bytes(header.getvalue() + bytes(100))
    (tmp_path / "y.npy").write_bytes(labels.getvalue())
    assert "cannot read" in failure(f"npz:{tmp_path}/x.npy,labels={tmp_path}/y.npy")


def test_a_bomb_does_not_unfold(saved: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from robustbench_cli.data import array_files

    monkeypatch.setattr(array_files, "_ALWAYS", 10**5)
    path = Path(saved(y=Y))
    np.savez_compressed(path, x=np.zeros((20, 100, 100), dtype=np.uint8), y=Y)
    assert "would unfold to 200" in failure(f"npz:{path}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:  # numpy never does
        archive.writestr("x.npy", b"")
        archive.writestr("y.npy", b"")
    assert "packed in another way than deflate" in failure(f"npz:{path}")


def test_one_line_says_what_is_wrong_with_a_file(saved: Any, harm: Any, tmp_path: Path) -> None:
    for absent, said in (("/absent.npz", "no file /absent.npz"), (tmp_path, "is a directory")):
        with pytest.raises(UsageError, match=f"{said}; expected one written by"):
            load(f"npz:{absent}")
    path = saved(x=X, y=Y)
    assert f"type npz:{path}" in failure(str(path))
    assert f"type folder:{tmp_path}" in failure(str(tmp_path))
    assert failure(f"npz:{saved('b.npz', a=X, b=Y)}").endswith(
        "holds a, b; expected x_train, y_train, x_test, y_test, or x and y"
    )
    assert "which is meant" in failure(f"npz:{saved('c.npz', x=X, y=Y, images=X, labels=Y)}")
    harm(Path(path))
    assert failure(f"npz:{path}").startswith(f"cannot read {path}: ")


def test_names_of_runs_tell_files_apart() -> None:
    first, second = (build(Dataset, f"npz:/{folder}/n.npz").short for folder in "ab")
    assert first.startswith("npz:n-") and first != second
    pair = build(Dataset, "npz:/a/x.npy,labels=/a/x.npy.y.npy,layout=nhwc").short
    assert re.fullmatch("npz:x-[0-9a-f]{6},labels=x.npy.y,layout=nhwc", pair)
