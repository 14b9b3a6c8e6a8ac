"""Restarts: who gets them."""

from __future__ import annotations

import pytest
import torch
from foolbox.models.pytorch import PyTorchModel
from torch import Tensor, nn

from robustbench_cli.evaluation.algorithms.restarts import Try, until_broken
from robustbench_cli.evaluation.attack import Samples


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


def shown(near: float | None, *rounds: list[list[float]]) -> list[list[int]]:
    """Which samples each try was shown; tries reach what is told of each sample."""
    seen: list[list[int]] = []

    def reaching(told: list[float]) -> Try:
        def attempt(part: Samples, at: Tensor) -> Tensor:
            seen.append(at.tolist())
            return showing(told)[at]

        return attempt

    samples = Samples(showing(FIRST), torch.zeros(4, dtype=torch.long))
    tries = [[reaching(told) for told in each] for each in rounds]
    found = until_broken(MODEL, samples, 1.0, "linf", tries, near)
    assert found.claimed is not None and found.claimed.tolist() == [False] * 3 + [True]
    return seen


@pytest.mark.parametrize(
    ("near", "again"), [(None, [[0, 1, 2]]), (0.06, [[0]]), (0.3, [[0, 1]]), (0.04, [])]
)
def test_restarts_are_for_all_that_is_left_or_for_what_nearly_broke(near, again) -> None:
    """0.2 is a twentieth of what the first has lost, 0.5 a fourth of what the second has."""
    assert shown(near, [REACHED], [REACHED]) == [[0, 1, 2, 3], *again]


def test_the_nearest_of_all_tries_counts() -> None:
    worse = [4.0, 2.0, 0.05, -0.5]
    assert shown(0.06, [REACHED, worse], [worse])[2:] == [[0]]
    assert shown(0.06, [worse], [REACHED], [worse])[1:] == []
