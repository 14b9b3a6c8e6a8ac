"""Which readings are attacked: of unusual networks, those that are surely ahead."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import Eps
from robustbench_cli.evaluation.choosing import USUAL, Numbers, choose
from robustbench_cli.models.model import Architecture, Model
from robustbench_cli.models.readings import Reading

N = 4000


class Known(nn.Module):
    """Wrong on the first `wrong` of N images, which it knows by their one pixel."""

    def __init__(self, wrong: int) -> None:
        super().__init__()
        self.wrong = wrong

    def forward(self, x: Tensor) -> Tensor:
        index = (x.flatten(1) * N).round().long()[:, 0]
        says = (index + (index < self.wrong)) % 2
        return nn.functional.one_hot(says, 2) * self.wrong + 0 * x.flatten(1)


@dataclass(kw_only=True)
class Stub(Architecture):
    wrong: int
    oddities: int = field(default=0)  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"stub:{self.wrong}"


def place(reading: Reading) -> Model:
    stub = reading.architecture
    assert isinstance(stub, Stub)
    return Model(Known(stub.wrong), (), "", [0.0], [1.0]).eval()


def still(*networks: Stub) -> list[str]:
    """The options that remain, in their order."""
    index = torch.arange(N)
    images = Images(index.view(-1, 1, 1, 1) / N, index % 2)
    read = [Reading(each, "none", ([0.0], [1.0])) for each in networks]
    numbers = {USUAL: Numbers((Eps.parse("1e-6"),), 100)}
    choice = choose(read, place, images, images[:100], numbers)
    possible = choice.guess.possible
    assert all(len(j.accuracy) == len(possible) for j in choice.guess.judged)
    return [each.option.partition(" --norm")[0] for each in possible]


def test_of_equally_good_networks_the_usual_is_meant() -> None:
    usual, odd, behind = Stub(wrong=500), Stub(wrong=499, oddities=1), Stub(wrong=510, oddities=2)
    assert still(odd, usual, behind) == ["--normalise none"]


def test_an_unusual_network_that_is_surely_ahead_is_attacked_as_well() -> None:
    usual, odd = Stub(wrong=500), Stub(wrong=460, oddities=1)
    assert still(odd, usual) == ["--model stub:500", "--model stub:460"]


def test_an_unusual_network_that_is_clearly_better_is_meant() -> None:
    usual, odd = Stub(wrong=900), Stub(wrong=300, oddities=1)
    assert still(usual, odd) == ["--normalise none"]


@pytest.mark.parametrize(("start", "asked"), [(0, False), (2000, True)])
def test_the_interval_is_that_of_test_images(start: int, asked: bool) -> None:
    """Nearly all training images are right; of the first 2000 test images a tenth is not."""
    index = torch.arange(N)
    images = Images(index.view(-1, 1, 1, 1) / N, index % 2)
    read = [Reading(Stub(wrong=wrong), "none", ([0.0], [1.0])) for wrong in (200, 240)]
    test = images[start : start + 2000]
    choice = choose(read, place, images, test, {USUAL: Numbers((Eps.parse("1e-6"),), 2000)})
    clean = [each for each in choice.guess.judged if each.clean]
    assert bool(clean) is asked
