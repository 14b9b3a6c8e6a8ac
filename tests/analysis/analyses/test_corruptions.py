"""Accuracies counted by hand, the paper's mCE, and the authors' three layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.analysis.analyses.corruptions import Corruptions, mean_corruption_error
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.errors import UsageError
from robustbench_cli.spec import build


class Bright(nn.Module):
    """Class 1 where an image is brighter than `level`, otherwise class 0."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot((x.mean((1, 2, 3)) > self.level).long(), 2).float()


def dark(n: int = 6) -> Images:
    """Grey images of value 0.4, all of class 0."""
    return Images(torch.full((n, 1, 8, 8), 102, dtype=torch.uint8), torch.zeros(n).long())


def test_brightness_is_survived_until_it_crosses_the_level() -> None:
    asked = Corruptions(images="made", only="brightness")
    found = analyse_model(Bright(0.57), dark(), asked)
    assert list(found.table["severity"]) == [0, 1, 2, 3, 4, 5]
    assert list(found.table["accuracy"]) == [1, 1, 1, 1, 0, 0]  # 0.4 + 0.15 and 0.4 + 0.2
    assert found["clean"] == 1 and found["mean of 1 corruptions"] == 0.6
    assert found["severity 4"] == 0
    assert (found.table["n"] == 6).all() and found.record["cost"]["forwards"] == 36


def test_kinds_are_averaged_apart() -> None:
    asked = Corruptions(images="made", only="noise+contrast", samples=4)
    found = analyse_model(Bright(0.57), dark(), asked, seed=1)
    assert found.table["corruption"].nunique() == 1 + 4 and (found.table["n"] == 4).all()
    assert found["mean of 4 corruptions"] == found["noise"] == found["digital"] == 1


def test_errors_are_set_against_those_of_a_reference() -> None:
    asked = Corruptions(images="made", only="brightness", reference="another")
    found = analyse_model(Bright(0.57), dark(), asked, other=Bright(0.47))
    assert list(found.table["reference"]) == [1, 1, 0, 0, 0, 0]
    assert found["mCE (%)"] == pytest.approx(100 * 2 / 4)


def test_the_mce_is_a_mean_of_ratios_of_sums() -> None:
    cells = pd.DataFrame(
        {
            "corruption": ["fog", "fog", "snow", "snow"],
            "accuracy": [0.8, 0.6, 0.9, 0.5],
            "reference": [0.6, 0.4, 0.5, 0.7],
        }
    )
    expected = 100 * ((0.2 + 0.4) / (0.4 + 0.6) + (0.1 + 0.5) / (0.5 + 0.3)) / 2
    assert mean_corruption_error(cells) == pytest.approx(expected)
    assert np.isnan(mean_corruption_error(cells.assign(reference=1.0)))


def test_published_files_are_counted_like_any_other(tmp_path: Path) -> None:
    folder, test = tmp_path / "CIFAR-10-C", dark(4)
    folder.mkdir()
    levels = np.repeat(np.array([110, 130, 140, 150, 160], np.uint8), 4)
    blocks = np.broadcast_to(levels[:, None, None, None], (20, 8, 8, 1))
    for name in ("fog", "frost", "saturate"):  # the last is none of the fifteen
        np.save(folder / f"{name}.npy", blocks)
    np.save(folder / "labels.npy", np.zeros(20, np.uint8))
    asked = Corruptions(images="CIFAR-10-C", samples=3)
    assert asked.folder(tmp_path) == folder
    found = analyse_model(Bright(0.57), test, asked, folder=folder)
    rows = found.table[found.table["severity"] > 0]
    assert list(rows["corruption"]) == ["frost"] * 5 + ["fog"] * 5
    assert list(rows["accuracy"]) == [1, 1, 1, 0, 0] * 2 and set(rows["n"]) == {3}


@pytest.mark.parametrize(
    ("spec", "data", "images"),
    [
        ("corruptions", "digits", "made"),
        ("corruptions", "mnist", "made"),
        ("corruptions", "cifar10", "CIFAR-10-C"),
        ("corruptions:images=made", "cifar10", "made"),
        ("corruptions:images=published", "mnist", "mnist_c"),
        ("corruptions:images=mine", "digits", "mine"),
    ],
)
def test_which_images_is_part_of_the_name(spec: str, data: str, images: str) -> None:
    asked = build(Corruptions, spec)
    asked.adapt(build(Dataset, data))
    assert str(asked) == f"corruptions:images={images}"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("corruptions:images=published", "nobody publishes corrupted images of digits"),
        ("corruptions:only=frost", "only=frost takes photographs"),
        ("corruptions:only=rain", "only=rain is no corruption; type noise, blur, weather, digital"),
    ],
)
def test_a_slip_gets_one_line(spec: str, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        build(Corruptions, spec).adapt(build(Dataset, "digits"))
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


def test_what_the_files_do_not_hold_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", np.zeros(20, np.uint8))
    np.save(tmp_path / "fog.npy", np.zeros((20, 8, 8, 1), np.uint8))
    asked = Corruptions(images=str(tmp_path), only="snow")
    with pytest.raises(UsageError, match="only=snow fits no corruption; there is: fog"):
        analyse_model(Bright(0.5), dark(4), asked, folder=tmp_path)
