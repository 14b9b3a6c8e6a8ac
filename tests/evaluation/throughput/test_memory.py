"""How many images a GPU takes, with a memory that is made up."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.evaluation.throughput import batches, memory
from robustbench_cli.evaluation.throughput.batches import Batches
from robustbench_cli.evaluation.throughput.memory import MOST, fitting
from robustbench_cli.runs.parts import CHUNK

X = torch.rand(10, 1, 4, 4)
NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))


@pytest.mark.parametrize(
    ("free", "cached", "each", "count"),
    [(1000, 0, 1, 256), (1000, 200, 1, 512), (1000, 0, 100, 4), (10, 0, 100, 1), (1e9, 0, 1, MOST)],
)
def test_half_of_what_is_free_as_a_power_of_two(
    monkeypatch: pytest.MonkeyPatch, free: float, cached: int, each: int, count: int
) -> None:
    values = {
        "reset_peak_memory_stats": None,
        "memory_allocated": 50,
        "max_memory_allocated": 50 + each * len(X),
        "memory_reserved": 50 + cached,
        "mem_get_info": (free, 10**12),
    }
    for name, value in values.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert fitting(NETWORK, X) == count


def test_only_a_gpu_that_nobody_chose_for_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "fitting", lambda network, x: 2048)
    for size, device, expected in ((None, "cpu", 512), (64, "cuda", 64), (None, "cuda", 2048)):
        made = Batches(size, (1, 4, 4), torch.device(device))
        made.fit(NETWORK, X)
        assert made.size == expected
        assert made.chunk == (2048 if expected == 2048 else None)


@pytest.mark.parametrize("message", ["CUDA out of memory", "does not require grad"])
def test_what_cannot_be_measured_stays_as_it_was(
    monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    def fail(network: nn.Module, x: Tensor) -> int:
        raise RuntimeError(message)

    monkeypatch.setattr(batches, "fitting", fail)
    made = Batches(None, (1, 4, 4), torch.device("cuda"))
    made.fit(NETWORK, X)
    assert made.size == 512 and made.chunk == max(512, CHUNK)
    assert memory.SHARE < 1
