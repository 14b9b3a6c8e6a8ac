"""Small networks are trained by one thread, large ones by all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from robustbench_cli.training.loop import threads
from robustbench_cli.training.loop.threads import sensible_threads

X = torch.rand(2, 3, 8, 8)


@pytest.fixture
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.mark.parametrize(("batch_size", "expected"), [(100, 1), (101, 2)])
def test_the_work_of_a_batch_decides(
    two_threads: None, monkeypatch: pytest.MonkeyPatch, batch_size: int, expected: int
) -> None:
    """A 3x3 convolution over 3 channels into 4, at 36 places: 3888 multiply-adds per image."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "SMALL", 100 * 3888 + 1)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    mean = network[1].running_mean.clone()
    with sensible_threads(network, X, batch_size):
        assert torch.get_num_threads() == expected
    assert torch.get_num_threads() == 2
    assert network.training and torch.equal(network[1].running_mean, mean)


def test_the_user_may_say_how_many(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with sensible_threads(nn.Conv2d(3, 4, 3), X, 1):
        assert torch.get_num_threads() == 2
