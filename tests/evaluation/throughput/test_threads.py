"""The number of threads: measured or given, and put back."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

from robustbench_cli.evaluation.throughput import threads as module
from robustbench_cli.evaluation.throughput.threads import threads

X = torch.rand(2, 4)
NET = nn.Linear(4, 2)


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [2]
    monkeypatch.setattr(torch, "get_num_threads", lambda: chosen[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda n: chosen.__setitem__(0, n))


@pytest.mark.parametrize(("alone", "together", "best"), [(1.0, 1.5, 1), (1.0, 0.6, 2)])
def test_the_faster_number_is_chosen_said_and_put_back(
    alone: float,
    together: float,
    best: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "_seconds", lambda net, x, n: alone if n == 1 else together)
    with caplog.at_level(logging.INFO, module.__name__), threads(NET, X) as count:
        assert count == torch.get_num_threads() == best
    assert torch.get_num_threads() == 2
    assert f"goes on with {best} (--threads {best})" in caplog.text


def test_what_the_user_says_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_seconds", None)
    with threads(NET, X, 5) as count:
        assert count == torch.get_num_threads() == 5
    assert torch.get_num_threads() == 2


def test_a_measurement_takes_a_moment() -> None:
    assert 0 < module._seconds(NET, X, 1) < 1
