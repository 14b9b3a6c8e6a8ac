"""Restarts: who gets them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest
import torch
from foolbox.models.pytorch import PyTorchModel
from torch import Tensor, nn

from robustbench_cli.evaluation.algorithms.restarts import Round, until_broken
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


def shown(*rounds: Reaching) -> Shown:
    """Which samples each batch of the rounds held, and what came of them."""
    seen: list[list[int]] = []

    def made(told: Reaching) -> Round:
        def attempt(part: Samples, at: Tensor, which: Tensor) -> Tensor:
            seen.append(at.tolist())
            return torch.stack([showing(leads) for leads in told.leads])[which, at]

        return Round(attempt, len(told.leads), told.near)

    samples = Samples(showing(FIRST), torch.zeros(4, dtype=torch.long))
    found = until_broken(MODEL, samples, 1.0, "linf", map(made, rounds))
    return Shown(seen, found)


class Reaching(NamedTuple):
    """A round: what each of its tries reaches of each sample."""

    leads: Sequence[list[float]]
    near: float | None = None


class Shown(NamedTuple):
    places: list[list[int]]
    found: Crafted


ALL = Reaching([REACHED])


def test_without_near_a_round_is_for_all_that_is_left() -> None:
    assert shown(ALL, ALL).places == [[0, 1, 2, 3], [0, 1, 2]]


@pytest.mark.parametrize(("near", "again"), [(0.06, [[0]]), (0.3, [[0, 1]]), (0.04, [])])
def test_with_near_it_is_for_what_nearly_broke(near: float, again: list[list[int]]) -> None:
    """0.2 is a twentieth of what the first has lost, 0.5 a fourth of what the second has."""
    assert shown(ALL, Reaching([REACHED], near)).places == [[0, 1, 2, 3], *again]


def test_the_nearest_of_all_tries_counts() -> None:
    worse = [4.0, 2.0, 0.05, -0.5]
    far, near = Reaching([worse]), Reaching([worse], 0.06)
    assert shown(ALL, far, near).places[2:] == [[0]]
    assert shown(far, far, near).places[2:] == []


def test_the_tries_of_a_round_go_into_one_batch_and_once_is_enough() -> None:
    """Which of its tries broke a sample does not matter, nor what the others came to."""
    once = [-1.0, 0.4, 0.0, 0.0]
    for leads in ((REACHED, once), (once, REACHED)):
        places, found = shown(ALL, Reaching(leads, 0.3))
        assert places == [[0, 1, 2, 3], [0, 0, 1, 1]] and found.claimed is not None
        assert found.claimed.tolist() == [True, False, False, True]
        assert float(leads_of(found.images)[0]) == pytest.approx(-1.0, abs=1e-5)


def test_a_batch_is_never_larger_than_the_first() -> None:
    places = shown(ALL, Reaching([REACHED] * 5, 0.3)).places
    assert places[1:] == [[0, 0, 0, 0], [0, 1, 1, 1], [1, 1]]


def test_a_later_round_is_for_what_is_left_again() -> None:
    assert shown(ALL, Reaching([REACHED], 0.06), ALL).places[2:] == [[0, 1, 2]]
