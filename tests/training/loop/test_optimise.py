"""Schedules against their closed forms, and the optimisers that a config names."""

from __future__ import annotations

import math
import sys
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny
from torch import nn

from robustbench_cli.training.config import Optimizer, Schedule
from robustbench_cli.training.loop.optimise import factor, make_optimizer, make_schedule


@given(st.floats(0, 1))
def test_closed_forms(p: float) -> None:
    assert factor("constant", p) == 1
    assert factor("cosine", p) == pytest.approx(math.cos(math.pi * p / 2) ** 2, abs=1e-12)
    assert factor("step", p) == pytest.approx(1 if p < 0.5 else 0.1 if p < 0.75 else 0.01)
    assert factor("cyclic", p) == pytest.approx(min(p / 0.4, (1 - p) / 0.6))


@pytest.mark.parametrize("schedule", get_args(Schedule))
def test_the_peak_is_the_learning_rate(schedule: Schedule) -> None:
    values = [factor(schedule, i / 1000) for i in range(1001)]
    assert max(values) == pytest.approx(1) and min(values) >= 0


def rates(schedule: Schedule, steps: int, **changes: object) -> list[float]:
    """The learning rate of each optimiser step."""
    optimizer = make_optimizer(tiny(lr=0.5, **changes), [nn.Parameter(torch.zeros(1))])
    plan, seen = make_schedule(schedule, optimizer, steps), []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        plan.step()
    return seen


def test_a_schedule_is_spread_over_all_steps() -> None:
    assert rates("constant", 3) == [0.5] * 3
    assert rates("step", 8) == pytest.approx([0.5] * 4 + [0.05] * 2 + [0.005] * 2)
    assert rates("cosine", 4) == pytest.approx([0.5, 0.4267767, 0.25, 0.0732233])
    assert rates("cyclic", 5) == pytest.approx([0, 0.25, 0.5, 1 / 3, 1 / 6])
    assert rates("cosine", 0) == []


def test_a_schedule_stays_at_its_end() -> None:
    optimizer = make_optimizer(tiny(), [nn.Parameter(torch.zeros(1))])
    plan = make_schedule("cosine", optimizer, 2)
    for _ in range(4):
        optimizer.step()
        plan.step()
    assert optimizer.param_groups[0]["lr"] == 0


@pytest.mark.parametrize("name", get_args(Optimizer))
def test_every_optimiser_takes_a_step_downhill(name: Optimizer) -> None:
    weight = nn.Parameter(torch.tensor([3.0]))
    optimizer = make_optimizer(tiny(optimizer=name, lr=0.1), [weight])
    (weight**2).sum().backward()
    optimizer.step()
    assert 0 < weight.item() < 3


def test_sgd_is_nesterovs() -> None:
    """Two steps on a constant gradient: v = 0.9 v + g, w -= lr (g + 0.9 v)."""
    weight = nn.Parameter(torch.tensor([0.0]))
    optimizer = make_optimizer(tiny(optimizer="sgd", lr=1.0), [weight])
    for _ in range(2):
        weight.grad = torch.ones(1)
        optimizer.step()
    assert weight.item() == pytest.approx(-(1 + 0.9) - (1 + 0.9 * 1.9))


def test_weight_decay_reaches_the_optimiser() -> None:
    for name in get_args(Optimizer):
        optimizer = make_optimizer(
            tiny(optimizer=name, weight_decay=0.25), [nn.Parameter(torch.zeros(1))]
        )
        assert optimizer.param_groups[0]["weight_decay"] == 0.25


def test_no_momentum_is_plain_sgd() -> None:
    optimizer = make_optimizer(tiny(optimizer="sgd", momentum=0.0), [nn.Parameter(torch.zeros(1))])
    assert not optimizer.param_groups[0]["nesterov"]


@pytest.mark.parametrize("name", get_args(Optimizer))
def test_they_step_as_torch_s_own_and_leave_its_compiler_alone(
    name: Optimizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Importing the compiler takes longer than a small network's first epoch."""
    config = tiny(optimizer=name, lr=0.1, weight_decay=0.01)
    ours, theirs = (nn.Parameter(torch.linspace(-2, 2, 5)) for _ in range(2))
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    more = {"momentum": config.momentum, "nesterov": True} if name == "sgd" else {}
    reference = kinds[name]([theirs], 0.1, weight_decay=0.01, **more)
    for _ in range(3):
        (theirs**3).sum().backward()
        reference.step()
        reference.zero_grad()
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "torch._dynamo", None)  # its import fails
        optimizer = make_optimizer(config, [ours])
        for _ in range(3):
            (ours**3).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            optimizer.load_state_dict(optimizer.state_dict())
    assert torch.equal(ours, theirs)
