"""The normalisation that foreign weights expect shows in their loss on a few images."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.models.normalisation import choose_normalisation, usual, written


class Exact(nn.Module):
    """Two classes, dark and bright, told apart where `mean` and `std` made the border zero."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        level = 4 * x.mean((1, 2, 3))
        return torch.stack([-level, level], 1)


def task() -> tuple[torch.Tensor, torch.Tensor]:
    y = torch.arange(40) % 2
    return (0.4 + 0.2 * y)[:, None, None, None].expand(-1, 3, 2, 2).clone(), y


def test_the_lowest_loss_wins_and_stays_in_the_model() -> None:
    model = Model(Exact(), [], "", [0.0] * 3, [1.0] * 3).train()
    candidates = usual([0.1] * 3, [0.3] * 3)
    choice = choose_normalisation(model, *task(), candidates)
    assert choice.name == min(choice.losses, key=choice.losses.__getitem__) != "none"
    assert [*choice.losses] == sorted(choice.losses, key=choice.losses.__getitem__)
    assert choice.losses["none"] > choice.losses["symmetric"]
    assert model.normalise.mean.flatten().tolist() == pytest.approx(choice.mean)
    assert model.normalise.std.flatten().tolist() == pytest.approx(choice.std)
    assert model.training  # as it was


def test_of_equal_losses_the_first_candidate_is_taken() -> None:
    model = Model(Exact(), [], "", [0.0] * 3, [1.0] * 3)
    first, second = ([0.5] * 3, [0.2] * 3), ([0.5] * 3, [0.20001] * 3)
    for pair in ({"a": first, "b": second}, {"a": second, "b": first}):
        choice = choose_normalisation(model, *task(), pair)
        assert choice.name == "a"
        assert [*choice.losses] == ["a", "b"]


def test_a_loss_that_is_no_number_never_wins() -> None:
    model = Model(Exact(), [], "", [0.0] * 3, [1.0] * 3)
    candidates = {"broken": ([math.nan] * 3, [1.0] * 3), "sane": ([0.0] * 3, [1.0] * 3)}
    choice = choose_normalisation(model, *task(), candidates)
    assert choice.name == "sane"
    assert choice.losses["broken"] == math.inf


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
