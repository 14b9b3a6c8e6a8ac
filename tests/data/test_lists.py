"""Pictures that a file lists, as RobustBench does, in both layouts of ImageNet's validation set."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.errors import RobustmixError, UsageError
from robustbench_cli.spec import build

IDS = ("n01440764", "n01443537", "n01484850")


def load(root: Path, lines: str, options: str = "") -> tuple[Images, Images, tuple[str, ...]]:
    (root / "wanted.txt").write_text(lines)
    return build(Dataset, f"folder:{root}/val,list={root}/wanted.txt{options}").load(root)


def failure(root: Path, lines: str, options: str = "") -> str:
    with pytest.raises(RobustmixError) as caught:
        load(root, lines, options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def red(images: Images) -> list[int]:
    return images.pixels[:, 0, 0, 0].tolist()


def write(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (number, 0, 0)).save(path)


@pytest.fixture
def sorted_out(tmp_path: Path) -> Path:
    """Class folders; red is the number of the picture, which goes up by class."""
    for number in range(6):
        write(tmp_path / "val" / IDS[number // 2] / f"val_{number}.png", number)
    return tmp_path


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    for number in range(6):
        write(tmp_path / "val" / f"val_{number}.png", number)
    return tmp_path


def test_class_folders_as_robustbench_lists_them(sorted_out: Path) -> None:
    train, test, classes = load(sorted_out, f"{IDS[2]}/val_5.png\n{IDS[0]}/val_1.png\r\n\n")
    assert len(train) == 0 and train.shape == test.shape
    assert red(test) == [5, 1] and test.labels.tolist() == [2, 0]  # in the order of the list
    assert classes == IDS  # also that of which nothing is listed


def test_bare_names_are_found_in_class_folders(sorted_out: Path) -> None:
    _, test, _ = load(sorted_out, "val_4.png\nval_3.png\n")
    assert red(test) == [4, 3] and test.labels.tolist() == [2, 1]
    write(sorted_out / "val" / IDS[0] / "val_4.png", 9)
    assert "line 1: val_4.png lies in several folders; write CLASS/NAME" in failure(
        sorted_out, "val_4.png"
    )


def test_one_folder_with_labels_in_the_list(flat: Path) -> None:
    _, test, classes = load(flat, "val_3.png 2\nval_0.png\t0\n")
    assert red(test) == [3, 0] and test.labels.tolist() == [2, 0]
    assert classes == ("0", "1", "2")
    assert len(load(flat, "val_3.png 2\n", ",classes=1000")[2]) == 1000
    write(flat / "val" / "a picture 7.png", 7)
    assert red(load(flat, "a picture 7.png 1\n")[1]) == [7]


def test_labels_are_held_against_the_class_folders(sorted_out: Path) -> None:
    assert load(sorted_out, "val_4.png 2\nval_3.png 1")[1].labels.tolist() == [2, 1]
    message = failure(sorted_out, "val_4.png 2\nval_3.png 2")  # as if they began at 1
    assert message.startswith(f"wanted.txt, line 2: class 2, but {IDS[1]} is number 1 of the class")
    assert "line 1: class 7 of 3, from 0" in failure(sorted_out, "val_4.png 7")
    # only a part of the folders was copied: numbers say which classes they are
    _, test, classes = load(sorted_out, "val_4.png 700", ",classes=1000")
    assert test.labels.tolist() == [700] and len(classes) == 1000
    assert "has 3 class folders; write the number of the class" in failure(
        sorted_out, "val_4.png", ",classes=1000"
    )


def test_one_line_says_what_is_wrong_with_a_list(flat: Path) -> None:
    assert failure(flat, "val_0.png").endswith("a number from 0: val_0.png 65")
    assert "line 2: " in failure(flat, "val_0.png 1\nval_9.png 1")
    assert "development kit" in failure(flat, "490\n361\n")
    assert "all pictures are of class 0" in failure(flat, "val_0.png 0\n")
    assert "names no picture" in failure(flat, "\n \n")
    for name in ("../secret.png 1", "/etc/hostname 1"):
        assert "is outside" in failure(flat, name)
    (flat / "wanted.txt").unlink()
    with pytest.raises(UsageError, match=r"no list .*wanted.txt; expected lines of NAME"):
        build(Dataset, f"folder:{flat}/val,list={flat}/wanted.txt").load(flat)
    (flat / "wanted.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RobustmixError, match="it is no text"):
        build(Dataset, f"folder:{flat}/val,list={flat}/wanted.txt").load(flat)


def test_options_that_do_not_go_together(sorted_out: Path) -> None:
    for part in ("train", "test"):
        write(sorted_out / "val" / part / "a" / "0.png", 0)
    assert "has train/ and test/; with list=FILE name one" in failure(sorted_out, "0.png")
    with pytest.raises(RobustmixError, match="leave out part=split"):
        build(Dataset, f"folder:{sorted_out},list=a.txt,part=split")
    with pytest.raises(RobustmixError, match="classes is for list=FILE"):
        build(Dataset, f"folder:{sorted_out},classes=3")


def test_another_list_is_another_data_set(flat: Path) -> None:
    spec = f"folder:{flat}/val,list={flat}/wanted.txt,classes=3"
    (flat / "wanted.txt").write_text("val_0.png 1\n")
    dataset = build(Dataset, spec)
    assert str(dataset) == spec
    assert dataset.short.startswith("folder:val-") and ",list=wanted" in dataset.short
    assert str(flat) not in dataset.short
    before = dataset.stamp()
    (flat / "wanted.txt").write_text("val_0.png 1\nval_1.png 1\n")
    assert dataset.stamp() != before
