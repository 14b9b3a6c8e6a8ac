"""Image quilting: its pool, its search against one by hand, its seams against brute force."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import chisquare
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError
from robustbench_cli.spec import build
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.quilting import Quilting, cheapest_path, join


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def images(*shape: int) -> Images:
    pixels = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1))
    return Images(pixels.byte(), torch.arange(len(pixels)) % 2)


def prepared(train: Images, **settings: int) -> Quilting:
    method = Quilting(**settings)  # type: ignore[arg-type]
    method.prepare(train)
    return method


def patches(x: Tensor, side: int) -> list[Tensor]:
    """Every patch of every image, by slicing."""
    height, width = x.shape[2:]
    places = itertools.product(range(height - side + 1), range(width - side + 1))
    return [x[:, :, top : top + side, left : left + side] for top, left in places]


# --- the pool ---


def test_the_pool_is_of_patches_of_the_training_images() -> None:
    train = images(6, 3, 9, 7)
    pool = prepared(train, pool=3000)._patches
    assert pool is not None and pool.shape == (3000, 3, 5, 5)
    there = {tuple(p.flatten().tolist()) for p in torch.cat(patches(train.x, 5))}
    drawn = {tuple(p.flatten().tolist()) for p in pool}
    assert drawn == there, "every place of every image comes up, and nothing else"


def test_the_pool_follows_from_its_seed() -> None:
    train = images(20, 1, 8, 8)
    one, again, other = (prepared(train, pool=50, seed=s)._patches for s in (0, 0, 1))
    assert one is not None and again is not None and other is not None
    assert torch.equal(one, again) and not torch.equal(one, other)


# --- which patch takes a patch's place ---


@pytest.mark.parametrize("at_once", [1, 10**6])
def test_the_nearest_patch_is_that_of_a_search_by_hand(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robustbench_cli.training.methods.quilting.AT_ONCE", at_once)
    method, asked, pool = Quilting(), draw(300, 12), draw(200, 12, seed=1)
    expected = [((pool - each) ** 2).sum(1).argmin() for each in asked]
    assert torch.equal(method._choose(asked, pool), torch.stack(expected))


def test_one_of_the_nearest_is_drawn_uniformly() -> None:
    pool, asked = draw(50, 4), draw(1, 4, seed=1)
    near = ((pool - asked) ** 2).sum(1).argsort()[:3]
    torch.manual_seed(0)
    drawn = Quilting(nearest=3)._choose(asked.expand(3000, 4), pool)
    assert set(drawn.tolist()) == set(near.tolist())
    assert chisquare([int((drawn == i).sum()) for i in near]).pvalue > 1e-3
    assert len(Quilting(nearest=99)._choose(asked, pool)) == 1, "no more than there are"


# --- seams ---


def paths(length: int, width: int) -> list[tuple[int, ...]]:
    """Every path whose column changes by one at most from row to row."""
    everything = itertools.product(range(width), repeat=length)
    return [p for p in everything if all(abs(a - b) <= 1 for a, b in itertools.pairwise(p))]


@pytest.mark.parametrize(("length", "width"), [(1, 4), (5, 2), (6, 3), (5, 4)])
def test_a_seam_is_the_best_of_all_paths(length: int, width: int) -> None:
    cost = draw(30, length, width)
    found = cheapest_path(cost)
    for each, path in zip(cost, found.tolist(), strict=True):
        assert tuple(path) in paths(length, width)
        sums = {p: sum(float(each[i, c]) for i, c in enumerate(p)) for p in paths(length, width)}
        assert sums[tuple(path)] == pytest.approx(min(sums.values()), abs=1e-6)


def test_pieces_are_cut_along_the_path_and_stand_side_by_side() -> None:
    """By hand: three pieces of 5 columns, two of them shared, for 2 images of 2 channels."""
    pieces = draw(2, 3, 2, 4, 5)
    found = join(pieces, 2)
    assert found.shape == (2, 2, 4, 11)
    for n in range(2):
        whole = pieces[n, 0]
        for m in (1, 2):
            older, newer = whole[..., -2:], pieces[n, m]
            path = cheapest_path(((older - newer[..., :2]) ** 2).sum(0))
            rows = []
            for row in range(4):
                cut = int(path[row])
                rows.append(torch.cat([whole[:, row, :-2], older[:, row, :cut]], 1))
                rows[-1] = torch.cat([rows[-1], newer[:, row, cut:]], 1)
            whole = torch.stack(rows, 1)
        assert torch.equal(found[n], whole)


# --- the image ---


@pytest.mark.parametrize("size", [(8, 8), (5, 5), (11, 13), (7, 9)])
@pytest.mark.parametrize("overlap", [1, 2])
def test_an_image_whose_patches_are_all_there_stays(size: tuple[int, int], overlap: int) -> None:
    """At a border that the grid does not meet, the image goes on as its last pixels."""
    shown = images(2, 3, *size)
    beyond = F.pad(shown.x, (0, 4, 0, 4), mode="replicate")
    method = prepared(shown, overlap=overlap)
    method._patches = torch.cat(patches(beyond, 5))
    torch.testing.assert_close(method.vary(shown.x), shown.x)


def test_every_pixel_comes_from_a_training_image() -> None:
    train = images(30, 1, 10, 10)
    levels = set(train.x.flatten().tolist())
    found = prepared(train, nearest=4).vary(0.3 + 0.4 * draw(5, 1, 12, 9))
    assert found.shape == (5, 1, 12, 9) and set(found.flatten().tolist()) <= levels


def test_images_do_not_depend_on_those_beside_them() -> None:
    method, x = prepared(images(30, 3, 8, 8), pool=400), draw(6, 3, 8, 8)
    torch.testing.assert_close(torch.cat([method.vary(each[None]) for each in x]), method.vary(x))


def test_a_little_noise_is_quilted_away() -> None:
    """Stripes, where every patch of the noisy image has its clean one in the pool."""
    stripes = (torch.arange(12) % 3 == 0).float().expand(4, 1, 12, 12)
    train = Images((255 * stripes).byte(), torch.zeros(4, dtype=torch.long))
    noisy = (stripes + 0.2 * (draw(4, 1, 12, 12) - 0.5)).clamp(0, 1)
    found = prepared(train, patch=4).vary(noisy)
    assert torch.equal(found, stripes)


# --- what an attack sees, and refusals ---


def test_the_gradient_is_that_of_the_network_at_the_quilted_image() -> None:
    method, x = prepared(images(30, 1, 8, 8)), draw(3, 1, 8, 8).requires_grad_()
    curved = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Tanh(), nn.Linear(5, 2))
    out = method.predict(None, x, lambda _, images: curved(images))  # type: ignore[arg-type]
    (found,) = torch.autograd.grad(out[:, 0].sum(), x)
    quilted = method.vary(x).detach().requires_grad_()
    (wanted,) = torch.autograd.grad(curved(quilted)[:, 0].sum(), quilted)
    torch.testing.assert_close(found, wanted)
    method.gradient = "none"
    assert not method.vary(x).requires_grad


def test_refusals() -> None:
    with pytest.raises(UsageError, match=r"call prepare\(images\) first"):
        Quilting().vary(draw(1, 1, 8, 8))
    with pytest.raises(UsageError, match="overlap=3 is more than half of patch=5; type overlap=2"):
        build(Method, "quilting:overlap=3")
    with pytest.raises(UsageError, match="5x5 pixels does not fit into an image of 1x2; type"):
        Quilting().prepare(Images(draw(9, 1, 1, 2), torch.zeros(9)))
