"""PuzzleMix: masks against brute force and minimum cuts, tiles against Hungary, labels by area."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from small import CLASSES, make_batch, make_model, quick
from torch import Tensor, nn

from robustbench_cli.models.model import Model
from robustbench_cli.training.batch import Batch
from robustbench_cli.training.method import Method
from robustbench_cli.training.mixing.grid_labels import Grid, cheapest, energy
from robustbench_cli.training.mixing.pair_masks import pair_grid
from robustbench_cli.training.mixing.saliency import input_gradient, pooled, saliency
from robustbench_cli.training.mixing.tiles import (
    grid_sides,
    join,
    matching,
    move,
    split,
    squared_distances,
    tile_side,
)
from robustbench_cli.training.objective import Objective

# --- masks ---


def random_grid(n: int, rows: int, columns: int, labels: int, smooth: float = 0.3) -> Grid:
    torch.manual_seed(n + rows + labels)
    value = torch.linspace(0, 1, labels)
    return Grid(
        torch.rand(n, rows, columns, labels),
        smooth * torch.rand(n, rows - 1, columns),
        smooth * torch.rand(n, rows, columns - 1),
        (value[:, None] - value).square(),
    )


def one(grid: Grid, i: int, times: int = 1) -> Grid:
    """Problem i of `grid`, `times` over."""
    parts = (t[i : i + 1].expand(times, *t.shape[1:]) for t in grid[:3])
    return Grid(*parts, grid.distance)


def test_energy_counts_cells_and_pairs_of_neighbours() -> None:
    grid = random_grid(2, 3, 4, 3)
    labels = torch.randint(3, (2, 3, 4))
    for i in range(2):
        total = 0.0
        for r, c in itertools.product(range(3), range(4)):
            own = labels[i, r, c]
            total += grid.unary[i, r, c, own].item()
            if r < 2:
                total += (grid.down[i, r, c] * ((own - labels[i, r + 1, c]) / 2) ** 2).item()
            if c < 3:
                total += (grid.right[i, r, c] * ((own - labels[i, r, c + 1]) / 2) ** 2).item()
        assert energy(grid, labels)[i].item() == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(
    ("rows", "columns", "labels"), [(1, 1, 3), (2, 2, 3), (3, 3, 3), (4, 2, 4), (4, 4, 2)]
)
def test_masks_on_small_grids_equal_brute_force(rows: int, columns: int, labels: int) -> None:
    grid = random_grid(8, rows, columns, labels)
    everything = torch.cartesian_prod(*[torch.arange(labels)] * (rows * columns))
    everything = everything.view(-1, rows, columns)
    found = energy(grid, cheapest(grid))
    for i in range(8):
        best = energy(one(grid, i, len(everything)), everything).min()
        torch.testing.assert_close(found[i], best)


def minimum_cut(grid: Grid) -> Tensor:
    """The optimal labels (R, C) of a single problem with three labels, as a minimum cut.

    Two nodes per cell; the label is how many of them are on the source's side. (l-l')²/4 is a sum
    of arcs between the nodes of neighbours, for it is convex (Ishikawa, 2003).
    """
    unary, down, right = (t[0].double().numpy() for t in grid[:3])
    rows, columns, _ = unary.shape
    scale, never = 10**7, 10**9
    source, sink = 2 * rows * columns, 2 * rows * columns + 1
    arcs: list[tuple[int, int, float]] = []

    def node(r: int, c: int) -> int:
        return 2 * (r * columns + c)

    def couple(p: int, q: int, weight: float) -> None:
        for k in (0, 1):  # |l - l'| ...
            arcs.extend([(p + k, q + k, weight / 4), (q + k, p + k, weight / 4)])
        arcs.extend([(p + 1, q, weight / 2), (q + 1, p, weight / 2)])  # ... and what 2 pays more

    for r, c in itertools.product(range(rows), range(columns)):
        p, cost = node(r, c), unary[r, c] - unary[r, c].min()
        arcs += [(source, p, cost[0]), (p, p + 1, cost[1]), (p + 1, sink, cost[2])]
        arcs.append((p + 1, p, never / scale))
        if r + 1 < rows:
            couple(p, node(r + 1, c), down[r, c])
        if c + 1 < columns:
            couple(p, node(r, c + 1), right[r, c])
    tails, heads, costs = zip(*arcs, strict=True)
    capacity = np.round(np.array(costs) * scale).astype(np.int32)
    network = csr_matrix((capacity, (tails, heads)), shape=(sink + 1, sink + 1))
    left = network - maximum_flow(network, source, sink).flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = np.zeros(sink + 1, bool)
    reached[breadth_first_order(left, source, return_predecessors=False)] = True
    return torch.from_numpy(reached[:source].reshape(rows, columns, 2).sum(2))


def smooth_noise(n: int, side: int, blur: int) -> Tensor:
    """(n, side, side) in [0, 1], like photographs in that neighbours are alike."""
    padded = F.pad(torch.rand(n, 1, side, side), (blur,) * 4, mode="reflect")
    x = F.avg_pool2d(padded, 2 * blur + 1, 1)[:, 0]
    low, high = x.amin((1, 2), keepdim=True), x.amax((1, 2), keepdim=True)
    return (x - low) / (high - low)


def photographs(n: int, side: int = 32) -> tuple[Tensor, Tensor, Tensor]:
    """Images, saliencies with a few centres, and partners."""
    torch.manual_seed(0)
    x = torch.stack([smooth_noise(n, side, 2) for _ in range(3)], 1)
    salient = torch.randn(n, side, side).abs() * smooth_noise(n, side, 5) ** 4
    return x, salient, torch.randperm(n)


@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_masks_against_minimum_cuts(n: int) -> None:
    x, salient, order = photographs(10)
    grid = pair_grid(x, pooled(salient, n, n), order, 0.4)
    labels = cheapest(grid)
    assert 0 < labels.float().mean() < 2
    found = energy(grid, labels)
    best = torch.cat([energy(one(grid, i), minimum_cut(one(grid, i))[None]) for i in range(10)])
    gap = (found - best) / best
    assert gap.min() > -1e-6, "the minimum cut is optimal"
    if n <= 4:
        torch.testing.assert_close(found, best)
    assert gap.max() < 0.02


@pytest.mark.parametrize("side", [5, 6, 8, 16])
def test_no_constant_mask_and_no_mask_that_ignores_neighbours_is_better(side: int) -> None:
    for smooth in (0.05, 0.3, 2.0):
        grid = random_grid(20, side, side, 3, smooth)
        found = energy(grid, cheapest(grid)) - 1e-4
        for label in range(3):
            assert (found <= energy(grid, torch.full((20, side, side), label))).all()
        assert (found <= energy(grid, grid.unary.argmin(3))).all()


def test_the_energy_of_a_mask_is_the_papers() -> None:
    """With two labels: lost saliency, and for each border what differs in mask and in pixels."""
    n, side, keep, beta, gamma, eta = 4, 16, 0.3, 1.2, 0.5, 0.2
    x, salient, order = photographs(3, side)
    share = pooled(salient, n, n)
    grid = pair_grid(x, share, order, keep, labels=2, beta=beta, gamma=gamma, eta=eta)
    masks = torch.randint(2, (3, n, n)), torch.randint(2, (3, n, n))
    block, beta = side // n, beta / n / 16

    def by_hand(i: int, z: Tensor) -> float:
        pair = x[order[i]], x[i]  # what z = 0 and z = 1 show
        total = 0.0
        for r, c in itertools.product(range(n), range(n)):
            here = int(z[r, c])
            lost = share[order[i], r, c] if here else share[i, r, c]
            total += lost - eta / n**2 * np.log(keep if here else 1 - keep)
            for down, right in ((1, 0), (0, 1)):
                if r + down == n or c + right == n:
                    continue
                there = int(z[r + down, c + right])
                a, b = pair[here], pair[there]
                low, left = (r + 1) * block, (c + 1) * block
                # strips of 4 pixels on either side, averaged across the border
                if down:
                    columns = slice(c * block, (c + 1) * block)
                    first = a[:, low - 4 : low, columns].mean(1)
                    second = b[:, low : low + 4, columns].mean(1)
                else:
                    rows = slice(r * block, (r + 1) * block)
                    first = a[:, rows, left - 4 : left].mean(2)
                    second = b[:, rows, left : left + 4].mean(2)
                jump = (first - second).abs().mean()
                total += beta * (here != there) + beta * gamma * jump
        return float(total)

    first, second = (energy(grid, z) for z in masks)
    for i in range(3):  # a constant is free
        expected = by_hand(i, masks[0][i]) - by_hand(i, masks[1][i])
        assert (first - second)[i].item() == pytest.approx(expected, abs=1e-5)


def test_the_prior_draws_the_mask_towards_lambda() -> None:
    x, salient, order = photographs(20)
    means = []
    for keep in (0.05, 0.5, 0.95):
        labels = cheapest(pair_grid(x, pooled(salient, 4, 4), order, keep))
        means.append(labels.float().mean().item() / 2)
    assert means[0] < 0.25 < means[1] < 0.75 < means[2]


# --- saliency ---


def test_saliency_of_a_linear_network_is_known() -> None:
    linear = nn.Linear(12, CLASSES)
    net = nn.Sequential(nn.Flatten(), linear)
    model = Model(net, (), "1", [0.0] * 3, [1.0] * 3)
    x, y = torch.rand(5, 3, 2, 2), torch.rand(5, CLASSES).softmax(1)
    slope = ((linear(x.flatten(1)).softmax(1) - y) @ linear.weight).view_as(x).detach()
    torch.testing.assert_close(input_gradient(model, x, y), slope)
    expected = (slope**2).mean(1).sqrt()
    torch.testing.assert_close(saliency(slope), expected)
    shares = pooled(expected, 1, 2)
    torch.testing.assert_close(shares[:, 0], expected.sum(1) / expected.sum((1, 2))[:, None])


def test_saliency_leaves_the_network_alone_and_flat_networks_have_equal_shares() -> None:
    model, batch = make_model(), make_batch()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    input_gradient(model, batch.x, batch.y)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert model.training and all(p.grad is None for p in model.parameters())
    torch.testing.assert_close(pooled(torch.zeros(2, 8, 8), 2, 2), torch.full((2, 2, 2), 0.25))


# --- tiles ---


def test_sides_of_grids_and_tiles() -> None:
    assert grid_sides(32, 32, 16) == [2, 4, 8, 16]
    assert grid_sides(28, 28, 16) == [2, 4]
    assert grid_sides(32, 24, 64) == [2, 4, 8]
    assert grid_sides(1, 2, 16) == [1]
    assert [tile_side(block, 4) for block in (16, 14, 7, 4, 2)] == [4, 7, 7, 4, 2]


def test_tiles_move_where_the_plan_says() -> None:
    x = torch.rand(3, 2, 6, 8)
    assert torch.equal(join(split(x, 3, 2), 3, 2, 6, 8), x)
    source = torch.stack([torch.randperm(6) for _ in range(3)])
    moved = move(x, source, 3, 2)
    for i, place in itertools.product(range(3), range(6)):
        (r, c), (R, C) = divmod(place, 2), divmod(int(source[i, place]), 2)
        there = x[i, :, 2 * R : 2 * R + 2, 4 * C : 4 * C + 4]
        assert torch.equal(moved[i, :, 2 * r : 2 * r + 2, 4 * c : 4 * c + 4], there)


def test_distances_are_squared_and_end_at_the_longer_side() -> None:
    d = squared_distances(4, 4, torch.device("cpu"))
    assert d[0, 3] == 1 and d[0, 12] == 1 and d[0, 15] == 2 and d[5, 5] == 0
    assert d[0, 1].item() == pytest.approx(1 / 9)


def test_matchings_are_permutations_that_save_nearly_all_that_can_be_saved() -> None:
    _, salient, _ = photographs(40)
    salient = salient**4  # few centres, so that moving pays
    t = 8
    gain = pooled(salient, t, t).flatten(1)
    seen = (torch.rand(40, t * t) < 0.4).float()
    cost = 0.8 * squared_distances(t, t, torch.device("cpu")) - gain[..., None] * seen[:, None]
    source = matching(cost, 4)
    assert torch.equal(source.sort(1).values, torch.arange(t * t).expand(40, -1))
    found = cost.gather(1, source[:, None])[:, 0].sum(1)
    stay = cost.diagonal(dim1=1, dim2=2).sum(1)
    best = torch.tensor([float(c[linear_sum_assignment(c)].sum()) for c in cost.numpy()])
    assert (found <= stay + 1e-6).all() and (found >= best - 1e-5).all()
    assert ((stay - found).sum() / (stay - best).sum()).item() > 0.9
    assert (found < stay - 1e-6).any()


# --- the step ---


class Seen(Method):
    """Keeps the batch that arrives at it."""

    batch: Batch

    def step(self, model, batch, rest):  # type: ignore[no-untyped-def]
        Seen.batch = batch
        return rest(model, batch)


def coloured(n: int = CLASSES, side: int = 16) -> Batch:
    """Image i has the one colour i/n and the one class i."""
    colour = (torch.arange(n) / n)[:, None, None, None].expand(n, 3, side, side)
    return Batch(colour.clone(), torch.eye(n))


@pytest.mark.parametrize("text", ["puzzlemix", "puzzlemix:transport=false,labels=2"])
def test_labels_are_shares_of_the_area(text: str) -> None:
    objective = Objective(make_model(), [*quick(text), Seen()])
    mixtures = 0
    for _ in range(20):
        batch = coloured()
        objective(batch)
        torch.testing.assert_close(Seen.batch.y.sum(1), torch.ones(CLASSES))
        colour = (Seen.batch.y * torch.arange(CLASSES) / CLASSES).sum(1)
        torch.testing.assert_close(Seen.batch.x.mean((1, 2, 3)), colour)
        mixtures += int(((Seen.batch.y > 0.01).sum(1) == 2).sum())
    assert mixtures > 10


def test_without_transport_every_block_shows_the_mask() -> None:
    (method,) = quick("puzzlemix:transport=false")
    batch, objective = make_batch(), Objective(make_model(), [method, Seen()])
    masks: list[tuple[Tensor, Tensor]] = []
    original = method.mask

    def spy(x: Tensor, size: Tensor, order: Tensor, keep: float) -> Tensor:
        masks.append((original(x, size, order, keep), order))
        return masks[-1][0]

    method.mask = spy
    objective(batch)
    ((mask, order),) = masks
    weight = F.interpolate(mask[:, None], size=8)  # nearest
    mixed = weight * batch.x + (1 - weight) * batch.x[order]
    torch.testing.assert_close(Seen.batch.x, mixed)
    share = mask.mean((1, 2))[:, None]
    torch.testing.assert_close(Seen.batch.y, share * batch.y + (1 - share) * batch.y[order])


def test_transport_shows_more_saliency_than_staying() -> None:
    (method,) = quick("puzzlemix:tile=2")
    _, salient, _ = photographs(30)
    salient = salient**4
    mask = (torch.rand(30, 4, 4) < 0.5).float()
    seen = F.interpolate(mask[:, None], size=32)
    moved = method.transported(salient[:, None], mask, salient)
    torch.testing.assert_close(moved.sum((1, 2, 3)), salient.sum((1, 2)))  # tiles only move
    before, after = ((s * seen).sum((1, 2, 3)) for s in (salient[:, None], moved))
    assert (after >= before * (1 - 1e-5)).all() and after.sum() > 1.05 * before.sum()


def test_adversarial_images_stay_in_the_ball_and_are_harder() -> None:
    (method,) = quick("puzzlemix:adversarial=1,eps=0.1,transport=false")
    method.mask = lambda x, size, order, keep: torch.ones(len(x), 2, 2)  # shows image i alone
    model, batch = make_model(), make_batch()
    objective = Objective(model, [method, Seen()])
    random.seed(3)
    objective(batch)
    moved = (Seen.batch.x - batch.x).abs().flatten(1).amax(1)
    assert (moved <= 0.1 + 1e-6).all() and (moved > 0.01).all()
    assert Seen.batch.x.min() >= 0 and Seen.batch.x.max() <= 1
    model.eval()
    losses = [F.cross_entropy(model(x), batch.y) for x in (batch.x, Seen.batch.x)]
    assert losses[1] > losses[0]


@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 7, 7), (3, 8, 12)])
def test_any_shape_of_image_is_mixed(shape: tuple[int, int, int]) -> None:
    head = nn.Linear(int(np.prod(shape)), CLASSES)
    model = Model(nn.Sequential(nn.Flatten(), head), (), "1", [0.0] * shape[0], [1.0] * shape[0])
    objective = Objective(model, quick("puzzlemix"))
    for _ in range(5):
        batch = Batch.of(torch.rand(6, *shape), torch.arange(6) % CLASSES, CLASSES)
        assert objective(batch).loss.isfinite()
