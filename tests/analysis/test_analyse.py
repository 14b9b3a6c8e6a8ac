"""Pieces, identity, and what is given back as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from analysis.networks import images, linear
from torch import Tensor, nn

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.analysis.analysis import Analysis, Columns, Subject, Tell
from robustbench_cli.errors import UsageError
from robustbench_cli.runs.analysed import Number


@dataclass(kw_only=True)
class Draws(Analysis):
    """The label of each image, and a random number."""

    piece: ClassVar[int] = 2
    upset: ClassVar[Callable[[int], None]] = lambda index: None

    def choose(self, subject: Subject) -> Tensor:
        return torch.randperm(len(subject.test))

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        type(self).upset(int(chosen[0]))
        return {
            "index": chosen.numpy(),
            "drawn": torch.randn(len(chosen)).numpy(),
            "text": np.array([f"n{i}" for i in chosen.tolist()], dtype=object),
            "even": chosen.numpy() % 2 == 0,
        }

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        return [Number("mean", float(table["drawn"].mean()))]


def test_a_killed_analysis_goes_on_and_ends_with_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = linear()
    test = images(network, 9)
    whole = analyse_model(network, test, Draws())
    seen: list[int] = []

    def stop(index: int) -> None:
        seen.append(index)
        if len(seen) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Draws, "upset", stop)
    with pytest.raises(KeyboardInterrupt):
        analyse_model(network, test, Draws(), parts=tmp_path / "parts")
    again = analyse_model(network, test, Draws(), parts=tmp_path / "parts")
    assert len(seen) == 4 + 2  # five pieces; the three finished ones are not looked at again
    pd.testing.assert_frame_equal(again.table, whole.table)
    assert again.table.dtypes["drawn"] == np.float32 and again.numbers == whole.numbers


def test_another_seed_draws_other_numbers_and_uses_no_pieces_of_the_first(tmp_path: Path) -> None:
    network = linear()
    test = images(network, 9)
    first, second = (
        analyse_model(network, test, Draws(), seed=seed, parts=tmp_path) for seed in (0, 1)
    )
    assert first["mean"] != second["mean"]
    assert first["mean"] == analyse_model(network, test, Draws(), seed=0)["mean"]


def test_network_and_generators_are_handed_back_as_they_were() -> None:
    network = nn.Sequential(linear(), nn.BatchNorm1d(3)).train()
    state = torch.random.get_rng_state()
    analyse_model(network, images(linear(), 9), "church-window:eps=0.1,points=3,images=1")
    assert network.training and all(p.requires_grad for p in network.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_what_an_analysis_needs_must_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Draws, "trains", True)
    with pytest.raises(UsageError, match="looks at training images; give train="):
        analyse_model(linear(), images(linear()), Draws())


def test_without_test_images_there_is_nothing_to_look_at() -> None:
    with pytest.raises(UsageError, match="embedding looks at test images, and this data set has"):
        analyse_model(linear(), images(linear())[:0], "embedding")


def test_a_network_that_is_always_wrong_has_nothing_to_look_at() -> None:
    test = images(linear())
    wrong = type(test)(test.pixels, (test.labels + 1) % 3)
    with pytest.raises(UsageError, match="classifies no test image correctly"):
        analyse_model(linear(), wrong, "church-window:eps=0.1")
