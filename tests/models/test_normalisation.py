"""Normalisations by name, and as numbers."""

from __future__ import annotations

import pytest

from robustbench_cli.errors import UsageError
from robustbench_cli.models.normalisation import usual, written


def test_the_colour_constants_are_tried_on_colour_images_only() -> None:
    assert [*usual([0.13066], [0.30811])] == ["none", "symmetric", "data"]
    assert usual([0.13066], [0.30811])["data"] == ([0.1307], [0.3081])
    assert {"imagenet", "cifar", "cifar-batchwise"} <= usual([0.5] * 3, [0.2] * 3).keys()


@pytest.mark.parametrize(
    ("text", "mean", "std"),
    [
        ("0.1307:0.3081", [0.1307], [0.3081]),
        ("(0.1307):(0.3081)", [0.1307], [0.3081]),
        ("33.3285:78.5655", [0.1307], [0.3081]),
        ("0:1", [0.0], [1.0]),
        ("0:255", [0.0], [1.0]),
        ("0:1/255", [0.0], [1 / 255]),
        ("0.5:0.25", [0.5] * 3, [0.25] * 3),
        ("0.5,0.4,0.3:0.25", [0.5, 0.4, 0.3], [0.25] * 3),
        ("0.5 0.4 0.3:0.25, 0.24, 0.26", [0.5, 0.4, 0.3], [0.25, 0.24, 0.26]),
        ("127.5,102,76.5:51,51,51", [0.5, 0.4, 0.3], [0.2] * 3),
    ],
)
def test_numbers_are_read_as_people_write_them(
    text: str, mean: list[float], std: list[float]
) -> None:
    found = written(text, len(mean))
    assert [*found[0], *found[1]] == pytest.approx([*mean, *std])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5", "no normalisation '0.5'; write MEAN:STD"),
        ("0.5:0.25:1", "write MEAN:STD"),
        ("a:b", "'a' is no number"),
        ("0.5,0.5:0.25", "has 2 numbers for 3 channels"),
        (":", "has 0 numbers for 3 channels"),
        ("0.5:0", "makes no sense"),
        ("0.5:2", "makes no sense"),
        ("-0.1:1", "makes no sense"),
        ("300:50", "makes no sense"),
    ],
)
def test_numbers_that_cannot_be_meant(text: str, message: str) -> None:
    with pytest.raises(UsageError) as e:
        written(text, 3)
    assert message in str(e.value) and str(e.value).isprintable()
