"""A network and the random generators are handed back as they were found."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from robustbench_cli.evaluation.isolation import fenced, frozen


def test_modes_and_gradients_are_restored_module_by_module_after_an_exception(
    cnn: nn.Sequential,
) -> None:
    cnn[1].eval()
    cnn[0].weight.requires_grad_(False)
    with pytest.raises(KeyError), frozen(cnn):
        assert not any(m.training for m in cnn.modules())
        assert not any(p.requires_grad for p in cnn.parameters())
        raise KeyError
    assert cnn.training and cnn[0].training and not cnn[1].training
    assert not cnn[0].weight.requires_grad and cnn[0].bias.requires_grad


def test_changed_buffers_are_named_and_put_back(cnn: nn.Sequential) -> None:
    before = {name: b.clone() for name, b in cnn.named_buffers()}
    with frozen(cnn) as changed:
        cnn[1].running_mean.add_(1)
        cnn[1].running_var = torch.ones(6)
    assert changed == ["1.running_mean", "1.running_var"]
    assert all(torch.equal(b, before[name]) for name, b in cnn.named_buffers())
    with frozen(cnn) as changed:
        cnn(torch.rand(4, 1, 8, 8))
    assert changed == []


def test_random_states_are_restored() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), np.random.random(), torch.rand(1).item()

    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    expected = draw()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    with fenced():
        torch.manual_seed(5)
        draw()
    assert draw() == expected
