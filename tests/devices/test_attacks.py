"""Every attack computes on a device what it does on the CPU; descents hardly ever wait for it."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from pretend_device import DEVICE, pretend_device
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.evaluation.algorithms import brendel_bethge
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.scheduling.lanes import steps_unseen
from robustbench_cli.evaluation.throughput.fast_path import Crafting
from robustbench_cli.evaluation.transfer import transfer
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import find, names, parameters

pytestmark = pytest.mark.slow  # a minute in all

CPU = torch.device("cpu")
FEW = {"steps": 2, "queries": 8, "n": 20, "n0": 5, "draws": 2, "rotations": 3, "shifts": 3}
SCHEDULES = ["ascending", "independent", "bisect"]


def quick(name: str) -> str:
    """The spec of an attack with few steps and, so that devices agree, no random start."""
    own = {f.name.replace("_", "-") for f in parameters(find(Attack, name))}
    few = {**FEW, "queries": 80} if name == "l2-boundary" else FEW  # to find a start takes some
    options = [f"{key}={value}" for key, value in few.items() if key in own]
    options += ["random-start=false"] if "random-start" in own else []
    options += ["attack=linf-bim:steps=2"] if name == "eot" else []
    return f"{name}:{','.join(options)}" if options else name


ATTACKS = [
    quick(name)
    for name in names("attacks")
    if "brendel-bethge" not in name and name != "transfer"  # below, and in tests/jobs
]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 4)
    return nn.Sequential(*layers).eval()


@pytest.fixture(scope="module")
def images(network: nn.Module) -> Images:
    torch.manual_seed(1)
    pixels = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
    labels = network(pixels / 255).argmax(1)
    labels[0] = (labels[0] + 1) % 4
    return Images(pixels, labels)


def attacked(
    network: nn.Module, images: Images, attack: str, device: torch.device, **options: Any
) -> tuple[Evaluation, int]:
    """What comes of it, and how often the host waited."""
    with pretend_device() if device == DEVICE else nullcontext({}) as waits:
        found = evaluate_model(
            copy.deepcopy(network).to(device),
            images.to(device),
            attack,
            grid(["0,0.05,0.3"]),
            crafting=Crafting(copy=False),
            num_threads=1,
            **options,
        )
        return found, sum(waits.values())


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack(network: nn.Module, images: Images, attack: str) -> None:
    here, there = (attacked(network, images, attack, d, audit=0)[0] for d in (CPU, DEVICE))
    assert there.samples.drop(columns="distance").equals(here.samples.drop(columns="distance"))
    np.testing.assert_allclose(there.samples["distance"], here.samples["distance"], rtol=1e-5)
    assert there.record["rejected"] == here.record["rejected"]


def test_brendel_and_bethge_around_the_walk(
    network: nn.Module, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Foolbox's walk itself runs in numba, on the host."""

    class Halfway:
        def run(self, model: Any, x: Tensor, criterion: Any, starting_points: Tensor) -> Tensor:
            return (x + starting_points) / 2

    monkeypatch.setattr(brendel_bethge, "find_spec", lambda module: True)
    monkeypatch.setattr(brendel_bethge.BrendelBethge, "build", lambda *a: Halfway())
    here, there = (attacked(network, images, "l2-brendel-bethge", d)[0] for d in (CPU, DEVICE))
    assert here.samples.equals(there.samples)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    "attack", ["linf-bim:steps=9", "linf-square:queries=20", "l2-square:queries=20"]
)
def test_every_schedule(network: nn.Module, images: Images, attack: str, schedule: str) -> None:
    """That the host looks at lanes late changes neither verdicts nor images."""
    found = [
        attacked(network, images, attack, d, schedule=schedule, audit=2, batch_size=4)[0]
        for d in (CPU, DEVICE)
    ]
    here, there = (e.samples for e in found)
    assert there["prediction"].equals(here["prediction"])
    np.testing.assert_allclose(there["distance"], here["distance"], rtol=1e-5)
    assert found[0].record.get("audit") == found[1].record.get("audit")


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_random_starts_and_restarts(network: nn.Module, images: Images, norm: str) -> None:
    few, many = (
        attacked(network, images, f"{norm}-pgd:steps=3,restarts=2", DEVICE, batch_size=b)[0]
        for b in (2, 50)
    )
    assert few.samples["prediction"].equals(many.samples["prediction"])
    np.testing.assert_allclose(few.samples["distance"], many.samples["distance"], rtol=1e-4)


def test_a_transfer(network: nn.Module, images: Images) -> None:
    torch.manual_seed(3)
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    found = []
    for device in (CPU, DEVICE):
        with pretend_device() if device == DEVICE else nullcontext():
            a, b = (copy.deepcopy(net).to(device) for net in (network, other))
            few = images.to(device)
            found.append(transfer({"a": a}, {"a": a, "b": b}, few, "linf-fgsm", grid(["0.1"])))
    for here, there in zip(*found, strict=True):
        assert here.samples.equals(there.samples)


# --- waits ---


class Robust(nn.Module):
    """Never changes its mind, so that every lane takes all its steps."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([1 + 0 * x.flatten(1).sum(1), 1e-6 * x.flatten(1).sum(1)], 1)


def robust_waits(attack: str, **options: Any) -> int:
    calm = Images(torch.zeros(8, 1, 4, 4, dtype=torch.uint8), torch.zeros(8, dtype=torch.long))
    found, waits = attacked(Robust(), calm, attack, DEVICE, audit=0, **options)
    assert found.accuracy()["accuracy"].eq(1).all()
    return waits


@pytest.mark.parametrize("attack", ["linf-pgd", "l2-pgd", "linf-pgd-margin", "linf-bim"])
def test_steps_that_break_nothing_make_nobody_wait(attack: str) -> None:
    """Five steps more at each of two epsilons: the host waits no more often."""
    assert robust_waits(f"{attack}:steps=9") == robust_waits(f"{attack}:steps=4")


@pytest.mark.parametrize(
    ("attack", "more", "bound"),
    [
        ("linf-apgd-ce:steps={}", 4, 1),
        ("linf-square:queries={}", 4, 1),
        ("l2-fab:steps={},patience=1", 4, 1),
        ("l1-pgd:steps={}", 4, 2),
    ],
)
def test_attacks_of_whole_batches_wait_once_a_step(attack: str, more: int, bound: int) -> None:
    """Foolbox's step of L1 sorts in NumPy, which is one more way there and back."""
    extra = robust_waits(attack.format(8)) - robust_waits(attack.format(8 - more))
    assert extra <= 2 * bound * more  # at two epsilons


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("attack", ["apgd-ce:steps={}", "square:queries={}", "fab:steps={}"])
def test_batches_of_mixed_epsilons_wait_once_a_step(norm: str, attack: str) -> None:
    """As batches of one epsilon do; bisection asks for the larger of two alone."""
    waits = [robust_waits(f"{norm}-{attack.format(n)}", schedule="bisect") for n in (60, 100)]
    assert waits[1] - waits[0] <= 40


def test_the_host_looks_when_an_eighth_has_stopped() -> None:
    assert steps_unseen([20] * 80, stopping=0) == 20
    assert steps_unseen([20] * 80, stopping=1 / 80) == 10
    assert steps_unseen([20] * 80, stopping=0.5) == 1
    assert steps_unseen([3] * 10 + [20] * 70, stopping=0) == 20
    assert steps_unseen([3] * 11 + [20] * 69, stopping=0) == 3
    assert steps_unseen([1], stopping=0) == 1
