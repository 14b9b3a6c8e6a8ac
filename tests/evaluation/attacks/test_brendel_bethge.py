"""Brendel & Bethge: what happens without numba, around Foolbox's walk, and, with numba, in it."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from foolbox.models.pytorch import PyTorchModel
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.algorithms import brendel_bethge
from robustbench_cli.evaluation.algorithms.brendel_bethge import BrendelBethge, _Finite, _settled
from robustbench_cli.evaluation.attack import Attack, Samples
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.spec import build, find

NAMES = [f"{norm}-brendel-bethge" for norm in ("linf", "l2", "l1", "l0")]
HAS_NUMBA = importlib.util.find_spec("numba") is not None
needs_numba = pytest.mark.skipif(not HAS_NUMBA, reason="numba is not installed")


@pytest.mark.parametrize("name", NAMES)
def test_without_numba_one_line_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find(Attack, name).norm == name.partition("-")[0]
    monkeypatch.setattr(brendel_bethge, "find_spec", lambda module: None)
    with pytest.raises(UsageError, match="numba") as caught:
        build(Attack, f"{name}:steps=10")
    assert (
        str(caught.value)
        == f'{name} needs a compiler, numba: pip install "robustmix[brendel-bethge]"'
    )


# --- around the walk; Foolbox's place is taken by others, so that numba is not needed ---


@pytest.fixture
def attack(monkeypatch: pytest.MonkeyPatch) -> Attack:
    monkeypatch.setattr(brendel_bethge, "find_spec", lambda module: True)
    return build(Attack, "l2-brendel-bethge")


class Halving:
    """Goes half of the way from the start to the sample; fails on samples above a brightness."""

    def __init__(self, failure: Exception) -> None:
        self.failure, self.sizes = failure, list[int]()

    def run(self, model: Any, x: Tensor, criterion: Any, starting_points: Tensor) -> Tensor:
        self.sizes.append(len(x))
        if (x.flatten(1)[:, 0] > 0.6).any():
            raise self.failure
        return (x + starting_points) / 2


FAILURES = [ZeroDivisionError(), np.linalg.LinAlgError(), AssertionError()]


@pytest.mark.parametrize("failure", FAILURES)
def test_what_the_solver_fails_on_keeps_its_start(
    attack: BrendelBethge, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, shares = Halving(failure), list[float]()
    monkeypatch.setattr(
        BrendelBethge, "build", lambda self, eps, share: shares.append(share) or tool
    )
    x = torch.full((8, 1, 2, 2), 0.2)
    x[5] = 0.7
    starts = torch.ones_like(x)
    samples = Samples(x, torch.zeros(8, dtype=torch.long))
    found = attack._walk(None, samples, starts)
    others = [i for i in range(8) if i != 5]
    assert torch.equal(found[5], starts[5])
    assert torch.equal(found[others], torch.full((7, 1, 2, 2), 0.6))
    assert shares == [1 / size for size in tool.sizes]


class Odd(nn.Module):
    """Logits that are not finite for the first image, and a gradient that is not for the second."""

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = x.flatten(1).sum(1)
        root = (second - second.detach()).sqrt()
        values = torch.stack([first + torch.nan, root, third])
        return torch.stack([values, torch.full((3,), torch.inf)], 1)


def test_the_solver_sees_finite_numbers_only() -> None:
    x = torch.rand(3, 1, 2, 2, requires_grad=True)
    plain = PyTorchModel(Odd().eval(), (0, 1), device="cpu")
    out = _Finite(plain)(x)
    assert out.isfinite().all()
    out[:, 0].sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()
    assert torch.equal(x.grad[2], torch.ones(1, 2, 2))
    assert _Finite(plain).bounds == plain.bounds


class Bright(nn.Module):
    """Class 1 from a mean brightness of 0.6 on."""

    def forward(self, x: Tensor) -> Tensor:
        lead = x.flatten(1).mean(1) - 0.6
        return torch.stack([-lead, lead], 1)


def test_what_ends_on_the_boundary_goes_a_little_further() -> None:
    model = PyTorchModel(Bright().eval(), (0, 1), device="cpu")
    samples = Samples(torch.full((4, 1, 2, 2), 0.5), torch.zeros(4, dtype=torch.long))
    ends = torch.tensor([0.6, 0.59995, 0.5995, 0.5])[:, None, None, None].expand(4, 1, 2, 2)
    starts = torch.full((4, 1, 2, 2), 0.9)
    found = _settled(model, samples, ends, starts).flatten(1)[:, 0] - 0.5
    assert found.tolist() == pytest.approx([0.10001, 0.09995 * 1.001, 0.0995 * 1.01, 0.4])


def test_l0_takes_back_what_rounding_has_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brendel_bethge, "find_spec", lambda module: True)
    x = torch.full((1, 1, 1, 3), 0.5)
    moved = x + torch.tensor([3e-7, 2e-3, 0])
    tool = SimpleNamespace(run=lambda *args, **options: moved)
    monkeypatch.setattr(BrendelBethge, "build", lambda self, eps, share: tool)
    attack = build(Attack, "l0-brendel-bethge")
    found = attack._walk(None, Samples(x, torch.zeros(1, dtype=torch.long)), x)  # type: ignore[attr-defined]
    assert (found != x).flatten().tolist() == [False, True, False]


# --- with numba ---


@needs_numba
@pytest.mark.parametrize(("norm", "dual"), [("linf", 1.0), ("l2", 2.0)])
def test_distances_come_near_the_shortest(planes: Any, norm: str, dual: float) -> None:
    """Whatever the batches are. Compiles first, for a minute or so."""
    spec, images = f"{norm}-brendel-bethge", planes.images[:30]
    found = evaluate_model(planes.model, images, spec, grid(["16"]))
    assert not found.record["failed"] and not found.record["rejected"]
    distance = found.samples["distance"].to_numpy()
    assert (distance >= planes.resolved(dual)[:30].numpy()).all()
    assert np.median(distance / planes.distance(dual)[:30].numpy()) < 1.01
    again = evaluate_model(planes.model, images, spec, grid(["16"]), batch_size=5)
    ratios = again.samples["distance"] / found.samples["distance"]
    assert ratios.median() == pytest.approx(1, abs=1e-3)


@needs_numba
def test_l0_changes_as_few_values_as_can_be() -> None:
    """Of a linear network those that move its answer furthest, until it is another one."""
    torch.manual_seed(0)
    layer = nn.Linear(36, 3)
    nn.init.normal_(layer.weight, std=0.5)
    pixels = torch.randint(256, (20, 1, 6, 6), dtype=torch.uint8)
    x = (pixels / 255).flatten(1)
    labels = layer(x).argmax(1)
    fewest = []
    for image, label in zip(x, labels, strict=True):
        counts = []
        for rival in {0, 1, 2} - {int(label)}:
            w, b = layer.weight[rival] - layer.weight[label], layer.bias[rival] - layer.bias[label]
            gains = torch.where(w > 0, w * (1 - image), -w * image).sort(descending=True).values
            counts.append(int((gains.cumsum(0) <= -(w @ image + b)).sum()) + 1)
        fewest.append(min(counts))
    network = nn.Sequential(nn.Flatten(), layer).eval()
    found = evaluate_model(network, Images(pixels, labels), "l0-brendel-bethge", grid(["36"]))
    more = found.samples["distance"].to_numpy() - np.array(fewest)
    assert more.min() == 0 and np.mean(more == 0) >= 0.9
