"""Square: right on linear networks, blind to gradients, inside the ball."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.evaluation.algorithms.geometry import Radius
from robustbench_cli.evaluation.algorithms.square import SquareSearch, doublings, share_halvings
from robustbench_cli.evaluation.algorithms.square_bumps import pattern
from robustbench_cli.evaluation.attack import Attack, Samples
from robustbench_cli.evaluation.chance import Chance
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.throughput.batches import Batches
from robustbench_cli.evaluation.verification.ball import Norm, distance
from robustbench_cli.spec import build


def test_linf_comes_near_the_exact_curve_of_a_linear_network(planes) -> None:
    radii = grid(["0.01,0.03,0.05"])
    found = evaluate_model(planes.model, planes.images, "linf-square:queries=500", radii)
    right = [float((planes.distance(1) > float(e)).double().mean()) for e in radii]
    assert found.accuracy()["accuracy"].tolist() == pytest.approx(right, abs=0.04)
    assert found.record["cost"]["backwards"] == 0


def test_l2_finds_what_is_well_inside_the_ball(planes) -> None:
    found = evaluate_model(planes.model, planes.images, "l2-square:queries=500", grid(["0.3"]))
    broken = ~found.correct()["0.3"].sort_index().to_numpy()
    exact = planes.distance(2).numpy()
    assert broken[exact < 0.1].all()
    assert not broken[exact > 0.3].any()


def test_it_breaks_a_network_without_gradients(images: Images) -> None:
    class Steps(nn.Module):
        """What its gradient says is wrong everywhere: there is none."""

        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Linear(64, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.net((x * 8).round().flatten(1))

    net = Steps().requires_grad_(False)
    images = Images(images.pixels, net(images.x).argmax(1))
    blind, seeing = (
        evaluate_model(net, images, name, grid(["0.1"])).accuracy()["accuracy"][0]
        for name in ("linf-apgd-ce:steps=10", "linf-square:queries=200")
    )
    assert seeing < 0.5 < blind


@pytest.mark.parametrize(
    ("name", "eps"), [("linf-square", 0.1), ("l2-square", 0.5), ("l1-square", 1.0)]
)
@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 4, 4), (1, 2, 3)])
def test_proposals_stay_inside_and_change_something(name: str, eps: float, shape) -> None:
    torch.manual_seed(0)
    attack, x = build(Attack, name), 0.3 + 0.4 * torch.rand(20, *shape)
    images = attack.start(x, eps, Chance())
    for side in (1, 2):
        tried = attack.propose(x, images, eps, side, Chance())
        assert (distance(x, tried, attack.norm) <= eps * (1 + 1e-5)).all()
        assert (tried != images).flatten(1).any(1).float().mean() > 0.9
    if name == "linf-square":
        assert (distance(x, images, "linf") > 0.099).all()
        assert (images - x).abs().amin() > 0.099
        assert (images[:, :, :1] - x[:, :, :1]).sign().equal((images - x).sign()[:, :, :1])


def test_the_pattern_is_two_bumps_of_opposite_signs() -> None:
    torch.manual_seed(0)
    made = pattern(6, 6, chance=Chance())
    made = made if (made[:3] > 0).all() else made.T  # above each other, or side by side
    assert (made[:3] > 0).all() and (made[3:] < 0).all()
    assert float(made.norm()) == pytest.approx(1)


def test_squares_shrink_on_the_schedule_of_the_paper() -> None:
    """p is halved after 10, 50, 200, 500, 1000, 2000, 4000, 6000 and 8000 of 10,000 queries."""
    assert [share_halvings(q, 10000) for q in (10, 11, 50, 51, 8000, 8001)] == [0, 1, 1, 2, 8, 9]
    assert share_halvings(6, 5000) == 1


def test_patience_leaves_what_does_not_move(planes) -> None:
    """A ball far too small: nobody searches on for long."""
    patient, plain = (
        evaluate_model(planes.model, planes.images[:10], f"linf-square:{more}", grid(["0.001"]))
        for more in ("queries=1000,patience=3", "queries=1000")
    )
    assert patient.record["cost"]["forwards"] < 420 < 990 < plain.record["cost"]["forwards"]
    assert patient.correct().equals(plain.correct())


def near_and_idle(query: int) -> float:
    """Falls fast, finds nothing from 300 to 3000, and breaks then."""
    return 8.5 - log2(min(query, 300)) if query < 3000 else -1.0


def late_and_steady(query: int) -> float:
    """Nothing before 100; from there on it loses 2 whenever the queries double, and breaks."""
    return 8.5 - 2 * log2(max(query, 100) / 100)


def far(query: int) -> float:
    """On its way, but it would take more than a hundred times the queries."""
    return 20 - log2(query)


def hardly_begun(query: int) -> float:
    """At this pace it would take three times the queries."""
    return 14 - log2(query)


@dataclass(kw_only=True)
class Scripted(SquareSearch):
    """Goes through leads that are known beforehand: an image is the number of its script, or the
    lead that the script has come to."""

    norm: ClassVar[Norm] = "linf"
    SCRIPTS: ClassVar = (near_and_idle, late_and_steady, far, hardly_begun)

    def start(self, x: Tensor, eps: Radius, chance: Chance) -> Tensor:
        self.taken = [0] * len(self.SCRIPTS)
        return self._next(x)

    def propose(self, x: Tensor, images: Tensor, eps: Radius, side: int, chance: Chance) -> Tensor:
        return self._next(x)

    def _next(self, x: Tensor) -> Tensor:
        leads = []
        for number in x.flatten().int().tolist():
            self.taken[number] += 1
            leads.append(self.SCRIPTS[number](self.taken[number]))
        return torch.tensor(leads).reshape(x.shape)


def searched(patience: float | None, *scripts: int) -> list[int]:
    """How many queries each of the `scripts` was shown."""
    attack = Scripted(queries=5000, patience=patience)
    x = torch.tensor(scripts).float().reshape(-1, 1, 1, 1)

    def network(images: Tensor) -> Tensor:
        return torch.cat([images.flatten(1), torch.zeros(len(images), 1)], 1)

    labels = torch.zeros(len(x), dtype=torch.long)
    attack.run(network, Samples(x, labels), labels, 1.0)  # type: ignore[arg-type]
    return [attack.taken[number] for number in scripts]


def test_who_is_nearly_there_or_comes_steadily_is_not_given_up() -> None:
    broken = 100 * 2 ** (8.5 / 2)
    assert searched(1, 0, 1, 2, 3) == [3000, ceil(broken), 200, 400]
    assert searched(None, 2) == [5000]


def test_patience_judges_each_sample_by_itself() -> None:
    assert searched(1, 2, 0, 1) == [*searched(1, 2), *searched(1, 0), *searched(1, 1)]


def test_it_looks_back_whenever_the_queries_have_doubled() -> None:
    assert doublings(5000) == [100, 200, 400, 800, 1600, 3200] and doublings(100) == []


def test_where_patience_soon_empties_the_batch_it_begins_with_more() -> None:
    most = {}

    class Watched(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            most[spec] = max(most.get(spec, 0), len(x))
            return x[:, 0, 0, :2]

    pixels = torch.zeros(60, 3, 32, 32)
    pixels[:, 0, 0, 0] = 1
    images = Images(pixels, torch.zeros(60, dtype=torch.long))
    guessed = Batches(None, images.shape, images.device).size
    for spec in ("linf-square:queries=2", "linf-square:queries=2,patience=1"):
        evaluate_model(Watched(), images, spec, grid(["0.01"]), audit=0)
    assert list(most.values()) == [guessed, 60] and guessed < 60


@pytest.mark.parametrize("name", ["linf-square", "l2-square", "l1-square"])
def test_several_proposals_are_of_one_image_each_and_differ(name: str) -> None:
    torch.manual_seed(0)
    attack, x = build(Attack, name), 0.3 + 0.4 * torch.rand(4, 3, 16, 16)
    images = attack.start(x, 0.5, Chance())
    radius = torch.full((4, 1, 1, 1), 0.5)
    tried = attack.propose_several(x, images, radius, 3, Chance(), 6).view(6, *x.shape)
    for sample in range(4):
        near = distance(x[sample].expand(6, -1, -1, -1), tried[:, sample], attack.norm)
        assert (near <= 0.5 * (1 + 1e-5)).all()
        assert len(tried[:, sample].flatten(1).unique(dim=0)) == 6


def test_where_few_are_left_each_shows_several_and_queries_are_as_many(planes) -> None:
    """As many queries and the same verdicts, in far fewer calls of the network."""
    calls: dict[str, list[int]] = {}

    class Watched(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            calls[spec].append(len(x))
            return planes.model(x)  # type: ignore[no-any-return]

    standing = {}
    for spec in ("linf-square:queries=700", "linf-square:queries=700,together=64"):
        calls[spec] = []
        found = evaluate_model(Watched(), planes.images[:40], spec, grid(["0.02"]), audit=0)
        standing[spec] = found.correct()["0.02"]
        assert found.record["cost"]["forwards"] <= 700 + 4  # and who looks at what was found
    plain, several = calls.values()
    assert len(several) < len(plain) / 3
    assert max(several[5:]) <= 64
    one, other = standing.values()
    assert (one != other).mean() <= 0.05
