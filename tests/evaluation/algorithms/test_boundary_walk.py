"""The walk is Foolbox's, sample by sample; who has finished is asked nothing more."""

from __future__ import annotations

import warnings

import pytest
import torch
from eagerpy.astensor import astensor
from foolbox.attacks.boundary_attack import ArrayQueue, BoundaryAttack
from foolbox.models.pytorch import PyTorchModel
from torch import Tensor, nn

from robustbench_cli.evaluation.algorithms.boundary_walk import LOOK, BoundaryWalk, SuccessRate
from robustbench_cli.evaluation.attack import Samples

CPU = torch.device("cpu")


class Asked(nn.Module):
    """Counts the images that it is shown."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.images = network, 0

    def forward(self, x: Tensor) -> Tensor:
        self.images += len(x)
        out: Tensor = self.network(x)
        return out


@pytest.fixture
def asked(linear) -> Asked:
    return Asked(linear.model).eval()


@pytest.fixture
def samples(linear) -> Samples:
    some = linear.images[20:40]
    return Samples(some.x, some.labels)


@pytest.fixture
def starts(linear, samples: Samples) -> Tensor:
    """For every sample one of the other class."""
    x, labels = linear.images.x, linear.images.labels
    right = linear.right & (torch.arange(len(x)) > 40)
    return torch.stack([x[right & (labels != label)][i] for i, label in enumerate(samples.labels)])


def by_foolbox(tool: BoundaryAttack, asked: Asked, samples: Samples, starts: Tensor) -> Tensor:
    torch.manual_seed(5)
    model = PyTorchModel(asked, (0, 1), device="cpu")
    found: Tensor = tool.run(model, samples.x, samples.criterion, starting_points=starts)
    return found


def by_us(
    tool: BoundaryAttack,
    asked: Asked,
    samples: Samples,
    starts: Tensor,
    allowances: Tensor | None = None,
) -> Tensor:
    torch.manual_seed(5)
    model = PyTorchModel(asked, (0, 1), device="cpu")
    return BoundaryWalk(tool, model, samples, starts, allowances).run()


@pytest.mark.parametrize("every", [1, 2])
def test_it_takes_foolbox_s_steps(
    every: int, asked: Asked, samples: Samples, starts: Tensor
) -> None:
    tool = BoundaryAttack(steps=350, update_stats_every_k=every)  # both rates fill several times
    expected = by_foolbox(tool, asked, samples, starts)
    asked.images = 0
    assert torch.equal(by_us(tool, asked, samples, starts), expected)
    assert asked.images == len(samples) * (350 + 350 // every)


def test_who_has_converged_leaves_as_if_it_were_alone(
    asked: Asked, samples: Samples, starts: Tensor
) -> None:
    tool = BoundaryAttack(
        steps=600,
        spherical_step=0.5,
        source_step=0.5,
        source_step_convergance=0.02,
        update_stats_every_k=1,
    )
    some = torch.arange(5)
    found = by_us(tool, asked, samples[some], starts[:5])
    together, asked.images = asked.images, 0
    for i in range(5):
        alone = by_foolbox(tool, asked, samples[some[i : i + 1]], starts[i : i + 1])
        torch.testing.assert_close(found[i], alone[0], rtol=0, atol=1e-5)
    assert asked.images <= together <= asked.images + 5 * 2 * LOOK < 5 * 2 * 600


def test_the_allowance_of_each_sample_is_spent_to_the_last_query(
    asked: Asked, samples: Samples, starts: Tensor
) -> None:
    """1 + 2 + 1 + 2 + ... queries: 6 pay for four steps, 5 for as many, 1 for one, 0 for none."""
    tool = BoundaryAttack(steps=100, update_stats_every_k=2)
    few = torch.arange(20) < 4
    allowances = torch.where(few, torch.tensor([6, 5, 1, 0] * 5), 150)
    found = by_us(tool, asked, samples, starts, allowances)
    assert asked.images == allowances.sum() == 12 + 16 * 150
    whole = by_us(tool, asked, samples, starts)
    assert torch.equal(found[4:], whole[4:])
    for place, steps in enumerate((4, 4, 1)):
        short = by_us(BoundaryAttack(steps=steps), asked, samples, starts)
        assert torch.equal(found[place], short[place])
    assert torch.equal(found[3], starts[3])


def test_success_rates_are_those_of_foolbox() -> None:
    torch.manual_seed(0)
    n, size = 50, 30
    theirs, mine = ArrayQueue(size, n), SuccessRate(size, n, CPU)
    often = torch.rand(n)
    outside = 0
    for _ in range(200):
        hit = torch.rand(n) < often
        theirs.append(astensor(hit))
        mine.add(hit)
        above, below = mine.outside(0.1, 0.25)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of none
            rate = theirs.mean().raw
        full = theirs.isfull().raw
        assert torch.equal(above, (rate > 0.25) & full)
        assert torch.equal(below, (rate < 0.1) & full)
        theirs.clear(astensor(above | below))
        outside += int((above | below).sum())
    assert outside > n
