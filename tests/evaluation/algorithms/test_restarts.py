"""Restarts: who gets them."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from foolbox.models.pytorch import PyTorchModel
from torch import Tensor, nn

from robustbench_cli.evaluation.algorithms.restarts import Again, Try, until_broken
from robustbench_cli.evaluation.attack import Crafted, Samples


class Lead(nn.Module):
    """An image of one pixel says by how much class 0, the label of all, leads class 1."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([leads_of(x)[:, None], torch.zeros(len(x), 1)], 1)


def leads_of(x: Tensor) -> Tensor:
    return 8 * x.flatten() - 1


def showing(leads: list[float]) -> Tensor:
    return ((torch.tensor(leads) + 1) / 8).reshape(-1, 1, 1, 1)


MODEL = PyTorchModel(Lead().eval(), bounds=(0, 1), device="cpu")
FIRST, REACHED = [4.2, 2.5, 0.05, 3.0], [0.2, 0.5, 0.05, -0.5]
"""The lead fell by 4 of 4.2, by 2 of 2.5, not at all, and until another class won."""


def shown(*tries: list[float], near: float = -1, again: tuple[list[float], ...] = ()) -> Shown:
    """Which samples each try was shown, and what came of them; tries reach what is told of each."""
    seen: list[list[int]] = []

    def reaching(told: list[float]) -> Try:
        def attempt(part: Samples, at: Tensor) -> Tensor:
            seen.append(at.tolist())
            return showing(told)[at]

        return attempt

    def once_more(part: Samples, at: Tensor, time: Tensor) -> Tensor:
        seen.append(at.tolist())
        return torch.stack([showing(told) for told in again])[time, at]

    samples = Samples(showing(FIRST), torch.zeros(4, dtype=torch.long))
    more = Again(near, len(again), once_more) if again else None
    found = until_broken(MODEL, samples, 1.0, "linf", map(reaching, tries), more)
    return Shown(seen, found)


class Shown(NamedTuple):
    places: list[list[int]]
    found: Crafted


def test_without_near_restarts_are_for_all_that_is_left() -> None:
    assert shown(REACHED, REACHED).places == [[0, 1, 2, 3], [0, 1, 2]]


@pytest.mark.parametrize(("near", "again"), [(0.06, [[0]]), (0.3, [[0, 1]]), (0.04, [])])
def test_with_near_restarts_are_for_what_nearly_broke(near: float, again: list[list[int]]) -> None:
    """0.2 is a twentieth of what the first has lost, 0.5 a fourth of what the second has."""
    assert shown(REACHED, near=near, again=(REACHED,)).places == [[0, 1, 2, 3], *again]


def test_the_nearest_of_all_tries_counts() -> None:
    worse = [4.0, 2.0, 0.05, -0.5]
    assert shown(REACHED, worse, near=0.06, again=(worse,)).places[2:] == [[0]]
    assert shown(worse, worse, near=0.06, again=(worse,)).places[2:] == []


def test_all_that_nearly_broke_goes_into_one_batch_and_once_is_enough() -> None:
    """Which of its restarts broke a sample does not matter, nor what the others came to."""
    once = [-1.0, 0.4, 0.0, 0.0]
    for again in ((REACHED, once), (once, REACHED)):
        places, found = shown(REACHED, near=0.3, again=again)
        assert places == [[0, 1, 2, 3], [0, 0, 1, 1]] and found.claimed is not None
        assert found.claimed.tolist() == [True, False, False, True]
        assert float(leads_of(found.images)[0]) == pytest.approx(-1.0, abs=1e-5)


def test_a_batch_is_never_larger_than_the_first() -> None:
    assert shown(REACHED, near=0.3, again=(REACHED,) * 5).places[1:] == [
        [0, 0, 0, 0],
        [0, 1, 1, 1],
        [1, 1],
    ]
