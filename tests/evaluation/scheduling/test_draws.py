"""Starts are Foolbox's: to the bit where torch's generator draws, in distribution elsewhere."""

from __future__ import annotations

import foolbox as fb
import pytest
import torch
from eagerpy.astensor import astensor
from pretend_device import DEVICE, pretend_device
from scipy import stats

from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.chance import seed_of
from robustbench_cli.evaluation.scheduling.draws import Seeded
from robustbench_cli.spec import build

NORMS = ["linf", "l2", "l1"]


def starts(norm: str, x: torch.Tensor, eps: list[float], seeds: list[int]) -> torch.Tensor:
    tool = build(Attack, f"{norm}-pgd").build(None)
    radii = torch.tensor(eps, device=x.device)[:, None, None, None]
    return tool.get_random_start(Seeded(x, seeds), astensor(radii)).raw


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("side", [3, 28, 32])
def test_on_a_cpu_each_row_is_foolboxs_own_start(norm: str, side: int) -> None:
    x, eps, seeds = torch.rand(5, 3, side, side), [0.1, 0.2, 0.3, 0.4, 0.7], [3, 1, 4, 1, 5]
    ours, before = starts(norm, x, eps, seeds), torch.get_rng_state()
    for i, seed in enumerate(seeds):
        tool = {"linf": fb.attacks.LinfPGD, "l2": fb.attacks.L2PGD, "l1": fb.attacks.L1PGD}[norm]()
        torch.manual_seed(seed)
        theirs = tool.get_random_start(astensor(x[i : i + 1]), eps[i]).raw
        assert torch.equal(ours[i : i + 1], theirs)
    torch.set_rng_state(before)
    again = starts(norm, x, eps, seeds)
    assert torch.equal(again, ours) and torch.equal(torch.get_rng_state(), before)


def splitmix64(state: int, count: int) -> list[int]:
    """The published algorithm, on Python's numbers."""
    mask, found = 2**64 - 1, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
        found.append(mixed ^ (mixed >> 31))
    return found


def test_elsewhere_numbers_are_splitmix64s() -> None:
    seeds = [seed_of("a", 1), seed_of("a", 2), 0]
    with pretend_device() as waits:
        source = Seeded(torch.zeros(3, 1, device=DEVICE), seeds)
        before = waits.total()
        first, second = (source.uniform((3, 5)).raw for _ in range(2))
        assert waits.total() == before, "a draw waited"
        drawn = torch.cat([first, second], 1).tolist()
    assert drawn == [[v / 2**24 for v in (n >> 40 for n in splitmix64(s, 10))] for s in seeds]


def test_elsewhere_normal_numbers_are_normal() -> None:
    with pretend_device():
        x = torch.zeros(4, 1, device=DEVICE)
        drawn = Seeded(x, [1, 2, 3, 4]).normal((4, 5000)).raw.cpu()
    assert drawn.isfinite().all()
    for row in drawn:
        assert stats.kstest(row.numpy(), "norm").pvalue > 1e-3
    assert drawn.corrcoef().fill_diagonal_(0).abs().max() < 0.06


@pytest.mark.parametrize("norm", NORMS)
def test_elsewhere_a_start_depends_on_its_seed_alone_and_lies_in_its_ball(norm: str) -> None:
    with pretend_device():
        x = torch.full((3, 1, 4, 4), 0.5, device=DEVICE)
        one = starts(norm, x, [0.1, 0.2, 0.3], [7, 8, 9]).cpu()
        two = starts(norm, x[[1]], [0.2], [8]).cpu()
    assert torch.equal(one[1:2], two)
    order = {"linf": torch.inf, "l2": 2, "l1": 1}[norm]
    length = (one - 0.5).flatten(1).norm(order, dim=1)
    assert (length <= torch.tensor([0.1, 0.2, 0.3]) * (1 + 1e-5)).all() and (length > 0).all()
