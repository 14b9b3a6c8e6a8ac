"""Co-Mixup: the joint objective by hand and by brute force, descent, labels by area."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small import CLASSES, make_batch, make_model, quick
from torch import Tensor

from robustbench_cli.training.batch import Batch
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.comixup import _places
from robustbench_cli.training.mixing import joint_masks as solver
from robustbench_cli.training.mixing.joint_masks import (
    BONUS,
    Blocks,
    energy,
    joint_masks,
    solve_one,
)
from robustbench_cli.training.objective import Objective

CPU = torch.device("cpu")


def costs(parts: int, images: int, size: int) -> Tensor:
    torch.manual_seed(images + size)
    salient = torch.rand(parts, images, size) ** 3
    return -salient / salient.sum(2, keepdim=True)


def shares(labels: Tensor, images: int) -> Tensor:
    """(..., K) image numbers as z (..., M, K)."""
    return F.one_hot(labels, images).mT.float()


def all_masks(mixtures: int, images: int, size: int) -> Tensor:
    labels = torch.cartesian_prod(*[torch.arange(images)] * (mixtures * size))
    return shares(labels.view(-1, mixtures, size), images)


def objective(
    z: Tensor, cost: Tensor, blocks: Blocks, beta: float, gamma: float, affinity: Tensor
) -> Tensor:
    """The paper's, of all mixtures z (..., M, M, K) at once, without threshold."""
    square = (z[..., :, None] - z[..., None, :]).square().sum(-3)
    rough = beta / 2 * (square * blocks.near).sum((-3, -2, -1)) / 2  # each pair occurs twice
    shown = z.sum(-1)
    others = shown.sum(-2, keepdim=True) - shown
    common = gamma * (shown * (others @ affinity)).sum((-2, -1))
    return (z * cost).sum((-3, -2, -1)) + rough + common


# --- one mixture ---


def test_the_energy_of_one_mixture_by_hand() -> None:
    blocks, cost = Blocks.grid(2, 3, CPU), costs(1, 4, 6)[0]
    z = shares(torch.tensor([0, 1, 1, 2, 2, 3]), 4)
    z[:, 4] = torch.tensor([0.5, 0.0, 0.5, 0.0])
    neighbours = [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]
    rough = sum((z[:, k] - z[:, j]).square().sum().item() for k, j in neighbours)
    by_hand = (z * cost).sum().item() + 0.7 / 2 * rough - BONUS
    assert energy(z, cost, blocks, 0.7).item() == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("halves", [False, True])
def test_solving_one_mixture_never_raises_its_energy(halves: bool) -> None:
    blocks, cost, beta = Blocks.grid(4, 4, CPU), costs(50, 6, 16), 0.32 / 16
    z = shares(torch.randint(6, (50, 16)), 6)
    z[:10, :, :8] = (z[:10, :, :8] + z[:10, :, 8:]) / 2
    for _ in range(3):
        solved = solve_one(z, cost, blocks, beta, halves)
        before, after = (energy(t, cost, blocks, beta) for t in (z, solved))
        assert (after <= before + 1e-6).all()
        z = solved
    constant = (cost.sum(2)).amin(1)  # one image in all blocks pays no roughness
    assert (energy(z, cost, blocks, beta) <= constant + 1e-6).all()


def test_one_small_mixture_equals_brute_force_nearly_always() -> None:
    blocks, cost, beta = Blocks.grid(2, 2, CPU), costs(100, 3, 4), 0.32 / 4
    z = solve_one(shares(torch.randint(3, (100, 4)), 3), cost, blocks, beta, False)
    found = energy(z, cost, blocks, beta)
    best = energy(all_masks(1, 3, 4)[:, 0], cost[:, None], blocks, beta).amin(1)
    gap = found - best
    assert gap.min() > -1e-6
    assert (gap < 1e-6).float().mean() > 0.95 and gap.max() < 0.05


def test_halves_are_of_two_images_that_the_mixture_shows() -> None:
    blocks = Blocks.grid(1, 2, CPU)
    z = shares(torch.tensor([[0, 1]]), 3)
    # two images that cost the same everywhere: half of each saves roughness
    cost = torch.tensor([[[0.0, 0.03], [0.03, 0.0], [9.0, 9.0]]])
    solved = solve_one(z, cost, blocks, 0.05, True)
    assert set(solved.unique().tolist()) <= {0.0, 0.5, 1.0} and 0.5 in solved
    assert (solved[:, 2] == 0).all()
    torch.testing.assert_close(solved.sum(1), torch.ones(1, 2))
    alone = solve_one(shares(torch.tensor([[0, 0]]), 3), cost, blocks, 0.05, True)
    assert 0.5 not in alone


# --- all mixtures ---


def solve(cost: Tensor, blocks: Blocks, **changes: Any) -> Tensor:
    parts, images, size = cost.shape
    settings = {"beta": 0.32 / size, "gamma": 1 / size, "tau": 0.0, "iterations": 4} | changes
    affinity = settings.pop("affinity", torch.eye(images)).expand(parts, images, images)
    torch.manual_seed(1)
    return joint_masks(cost, affinity, torch.ones(parts, images), blocks, **settings)


def test_every_round_lowers_the_papers_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    """The price on common images is exactly what the others' shares add to the objective."""
    monkeypatch.setattr(solver, "_tell_twins_apart", torch.zeros_like)
    blocks, cost = Blocks.grid(3, 3, CPU), costs(20, 4, 9)
    affinity = torch.rand(4, 4)
    affinity = torch.eye(4) + 0.2 * (affinity + affinity.T)
    rounds = []
    for iterations in range(1, 6):  # the same start each time
        z = solve(cost, blocks, iterations=iterations, affinity=affinity)
        bonus = 2 * BONUS * (z.sum(2) - z.square().sum(2)).sum((1, 2))
        whole = objective(z, cost[:, None], blocks, 0.32 / 9, 1 / 9, affinity)
        rounds.append(whole - bonus)
    for before, after in itertools.pairwise(rounds):
        assert (after <= before + 1e-5).all()
    assert (rounds[-1] < rounds[0] - 1e-4).any()


def test_small_problems_end_at_the_optimum_nearly_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "_tell_twins_apart", torch.zeros_like)
    blocks, cost = Blocks.grid(1, 3, CPU), costs(40, 3, 3)
    everything = all_masks(3, 3, 3)
    z = solve(cost, blocks)
    settings = blocks, 0.32 / 3, 1 / 3, torch.eye(3)
    found = objective(z, cost[:, None], *settings)
    best = torch.stack([objective(everything, c, *settings).min() for c in cost])
    assert (found <= best + 1e-5).float().mean() > 0.85


def test_images_beyond_the_threshold_become_dear() -> None:
    """With one image far more salient than the others, the price alone keeps it from winning."""
    blocks, cost = Blocks.grid(2, 2, CPU), costs(10, 5, 4)
    cost[:, 0] -= 1
    everywhere = solve(cost, blocks, gamma=0.0)[:, :, 0].mean()
    limited = solve(cost, blocks, tau=0.83 * 4)[:, :, 0].mean()
    assert everywhere > 0.95 and limited < 0.6


def test_blocks_show_one_image_or_halves_and_the_first_round_only_whole_ones() -> None:
    blocks, cost = Blocks.grid(4, 4, CPU), costs(3, 6, 16)
    z = solve(cost, blocks, tau=0.83 * 16)
    assert set(z.unique().tolist()) <= {0.0, 0.5, 1.0}
    torch.testing.assert_close(z.sum(2), torch.ones(3, 6, 16))
    assert set(solve(cost, blocks, iterations=1).unique().tolist()) == {0.0, 1.0}


def test_mixtures_of_the_same_images_are_told_apart() -> None:
    counts = torch.tensor([[[3.0, 0, 1], [2, 0, 2], [0, 4, 0], [0, 4, 0]]])
    expected = torch.tensor([[[1.0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]])
    assert torch.equal(solver._tell_twins_apart(counts), expected)  # single images stay


# --- the method ---


class Seen(Method):
    """Keeps the batches that arrive at it."""

    batches: list[Batch]

    def step(self, model, batch, rest):  # type: ignore[no-untyped-def]
        Seen.batches.append(batch)
        return rest(model, batch)


@pytest.mark.parametrize("n", [8, 7, 3, 1])
def test_labels_are_shares_of_the_area(n: int) -> None:
    """Also where the parts are not full: image i has the one colour i/n, and as much of class 0."""
    training = Objective(make_model(), [*quick("comixup:part=3"), Seen()])
    mixtures = 0
    for _ in range(3):
        Seen.batches = []
        colour = (torch.arange(n) / n)[:, None, None, None].expand(n, 3, 16, 16)
        y = torch.zeros(n, CLASSES)
        y[:, 0], y[:, 1] = (
            torch.arange(n) / n,
            1 - torch.arange(n) / n,
        )  # soft, and tells them apart
        training(Batch(colour + 0.001 * torch.rand(n, 3, 16, 16), y))
        mixed, natural = Seen.batches
        torch.testing.assert_close(mixed.x.mean((1, 2, 3)), mixed.y[:, 0], atol=1e-3, rtol=0)
        torch.testing.assert_close(mixed.y.sum(1), torch.ones(n))
        assert torch.equal(natural.y, y)
        mixtures += int((mixed.x.flatten(1).std(1) > 0.01).sum())
    assert mixtures or n == 1


def test_every_block_shows_the_images_of_its_mask() -> None:
    (method,) = quick("comixup:part=4")
    z = torch.rand(2, 4, 4, 16).softmax(2)  # any shares
    method.masks = lambda salient, places, n: z
    batch = make_batch(8)
    mixed = method.mixed(batch, torch.rand(8, 8, 8))
    for part, o, k in itertools.product(range(2), range(4), range(16)):
        r, c = divmod(k, 4)
        block = (slice(None), slice(2 * r, 2 * r + 2), slice(2 * c, 2 * c + 2))
        expected = sum(z[part, o, i, k] * batch.x[4 * part + i][block] for i in range(4))
        torch.testing.assert_close(mixed.x[4 * part + o][block], expected)
    label = sum(z[0, 1, i].mean() * batch.y[i] for i in range(4))
    torch.testing.assert_close(mixed.y[1], label)


def test_the_clean_loss_is_added_with_its_weight() -> None:
    batch = make_batch()

    def loss(text: str) -> Tensor:
        training = Objective(make_model(), quick(text))
        random.seed(2)
        torch.manual_seed(2)
        return training(batch).loss

    natural = Objective(make_model(), [])(batch).loss
    torch.testing.assert_close(loss("comixup:clean=0.5") - loss("comixup:clean=0"), 0.5 * natural)


def test_the_prior_is_the_logarithm_of_a_dirichlet_draw() -> None:
    (method,) = quick("comixup:alpha=2")
    random.seed(0)
    drawn = (-method._surprise(4000, 5)).exp()[..., 0]
    torch.testing.assert_close(drawn.sum(1), torch.ones(4000), atol=1e-5, rtol=0)
    variance = 0.2 * 0.8 / (5 * 2 + 1)  # of a share, for Dirichlet(2, ..., 2)
    assert drawn.var(0).mean().item() == pytest.approx(variance, rel=0.1)


def test_the_most_salient_place() -> None:
    size = torch.zeros(2, 8, 12)
    size[0, 5, 7] = size[1, 0, 0] = 1
    size[0, 4, 6] = 0.5
    places = _places(size)  # windows of 2 x 3 pixels
    assert places[0, 0] == 4 and places[0, 1] in (5, 6) and places[1].tolist() == [0, 0]
