"""Samples with different epsilons in one batch: each goes its own way, as if it were alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from foolbox.models.pytorch import PyTorchModel
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import Eps, grid
from robustbench_cli.evaluation.algorithms.geometry import Radius
from robustbench_cli.evaluation.algorithms.square import Search, SquareSearch
from robustbench_cli.evaluation.attack import Attack, Samples, claim
from robustbench_cli.evaluation.chance import Streams
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.mixing import Mixing
from robustbench_cli.evaluation.scheduling import chunk as chunks
from robustbench_cli.evaluation.verification.ball import into_ball
from robustbench_cli.spec import build

NORMS = {"linf": (0.02, 0.2), "l2": (0.05, 0.7), "l1": (0.2, 2.0)}  # balls that break some
QUICK = {
    "apgd-ce": "steps=12,restarts=2",
    "apgd-dlr": "steps=12",
    "apgd-t": "steps=12,targets=2,restarts=2",
    "square": "queries=40,restarts=2",
}
ATTACKS = [
    f"{norm}-{name}:{few}"
    for norm in NORMS
    for name, few in QUICK.items()
    if (norm, name) != ("l1", "apgd-dlr")
]
FEW = [  # each kind of search and of ball once; the others when it is not in a hurry
    each if each.startswith(("linf-square", "linf-apgd-ce", "l1-apgd-t")) else slowly
    for each in ATTACKS
    for slowly in [pytest.param(each, marks=pytest.mark.slow)]
]


class ByRow(nn.Module):
    """Four classes; sums over one row at a time: no digit depends on the rest of the batch."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = torch.randn(6, 16), torch.randn(4, 6)
        self.calls = self.most = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls, self.most = self.calls + 1, max(self.most, len(x))
        hidden = ((x.flatten(1) - 0.5)[:, None] * self.first).sum(2).tanh()
        return (hidden[:, None] * self.second).sum(2)


@pytest.fixture(scope="module")
def rows() -> tuple[ByRow, Images]:
    model = ByRow().eval()
    torch.manual_seed(1)
    pixels = torch.randint(0, 256, (10, 1, 4, 4), dtype=torch.uint8)
    return model, Images(pixels, model(pixels / 255).argmax(1))


def epsilons(attack: str, count: int = 6) -> tuple[Eps, ...]:
    low, high = NORMS[attack.partition("-")[0]]
    step = (high - low) / (count - 1)
    return grid([",".join(f"{low + step * i:.4f}" for i in range(count))])


def samples_of(images: Images, seeds: Tensor) -> Samples:
    return Samples(images.x, images.labels, chance=Streams(seeds, 5))


@pytest.mark.parametrize("name", ATTACKS)
def test_a_batch_of_many_epsilons_is_each_sample_at_its_own(rows, name: str) -> None:
    """To the bit in Linf; elsewhere lengths are rounded otherwise in a batch of one."""
    network, images = rows
    attack, model = build(Attack, name), PyTorchModel(network, (0, 1), device="cpu")
    assert isinstance(attack, Mixing)
    radii = [float(eps) for eps in epsilons(name, len(images))]
    every, close = torch.arange(10), 0 if attack.norm == "linf" else 1e-4
    mixed, claimed = tried(attack, model, samples_of(images, every), torch.tensor(radii))
    assert 0 < claimed.any(1).sum() < 10
    for i, eps in enumerate(radii):
        one = every[i : i + 1]
        alone, broken = tried(attack, model, samples_of(images[one], one), eps)
        assert torch.equal(broken[0], claimed[i])
        torch.testing.assert_close(mixed[i], alone[0], rtol=0, atol=close)


def tried(
    attack: Mixing, model: PyTorchModel, samples: Samples, eps: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Images (n, C, H, W) of the first try that breaks each, or the last; which do, (n, tries)."""
    aims, streams = attack.aims_of(model, samples), samples.chance
    assert isinstance(streams, Streams)
    radius = eps[:, None, None, None] if isinstance(eps, Tensor) else eps
    found = []
    for number, aim in enumerate(aims.T):
        part = replace(samples, chance=streams.again(number))
        found.append(into_ball(samples.x, attack.run(model, part, aim, radius), eps, attack.norm))
    claimed = torch.stack([claim(model, samples, each) for each in found], 1)
    last = torch.full_like(samples.labels, len(found) - 1)
    first = torch.where(claimed.any(1), claimed.int().argmax(1), last)
    return torch.stack(found, 1)[torch.arange(len(samples)), first], claimed


@pytest.mark.parametrize("name", FEW)
def test_what_comes_of_a_sample_depends_on_no_other(
    rows, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches of 3 or of 50, among few samples or many, with pauses or without."""
    network, images = rows
    radii = epsilons(name)
    few, many, some = (
        evaluate_model(
            network, part, name, radii, schedule="bisect", audit=0, batch_size=size, num_threads=1
        ).samples
        for part, size in ((images, 3), (images, 50), (images[:7], 50))
    )
    assert few.equals(many)
    assert many[many["index"] < 7].reset_index(drop=True).equals(some)
    for cls in type(build(Attack, name)).__mro__:
        if "pauses" in vars(cls):
            monkeypatch.setattr(cls, "pauses", ())
    straight = evaluate_model(
        network, images, name, radii, schedule="bisect", audit=0, num_threads=1
    ).samples
    assert straight.equals(many)


@pytest.mark.parametrize("name", ["linf-apgd-ce:steps=40", "linf-square:queries=100"])
def test_bisection_asks_the_network_less_often(rows, name: str) -> None:
    """Not only for fewer images: one epsilon after another takes more batches than all of them."""
    network, images = rows
    calls = {}
    for schedule in ("independent", "bisect"):
        network.calls = 0
        evaluate_model(
            network, images, name, epsilons(name, 10), schedule=schedule, audit=3, num_threads=1
        )
        calls[schedule] = network.calls
    assert calls["bisect"] < 0.75 * calls["independent"]


def test_the_curve_of_a_linear_network_is_exact(linear) -> None:
    found = evaluate_model(
        linear.model, linear.images, "linf-apgd-ce:steps=20", linear.epsilons[::2]
    )
    right = [
        float((linear.right & (linear.linf > float(e))).double().mean()) for e in found.epsilons
    ]
    assert found.accuracy()["accuracy"].tolist() == right
    assert found.record["schedule"] == "bisect" and found.record["audit"]["disagreements"] == 0


@pytest.mark.parametrize(
    ("schedule", "more"),
    [("ascending", ""), ("independent", ""), ("bisect", ",restarts=2,near=0.1")],
)
def test_at_one_epsilon_after_another_nothing_is_mixed(
    rows, monkeypatch: pytest.MonkeyPatch, schedule: str, more: str
) -> None:
    """Nor where restarts are for what nearly broke."""
    network, images = rows
    monkeypatch.setattr(chunks, "run_mixed", None)
    for name in ("apgd-ce:steps=2", "square:queries=2"):
        evaluate_model(
            network, images, f"linf-{name}{more}", epsilons("linf-"), schedule=schedule, audit=2
        )


@pytest.mark.parametrize("name", ["apgd-ce:steps=20", "square:queries=50"])
def test_no_batch_is_larger_than_asked_for(rows, name: str) -> None:
    """Also where several that have paused go on together."""
    network, images = rows
    network.most = 0
    radii = epsilons("linf-")
    evaluate_model(network, images, f"linf-{name}", radii, schedule="bisect", batch_size=4)
    assert network.most == 4


def test_every_try_and_the_audit_have_draws_of_their_own(
    rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 10 samples at 0.0001, which all withstand: three searches, and of one a second look."""
    network, images = rows
    drawn, begin = [], SquareSearch.begin

    def watched(attack: SquareSearch, samples: Samples, aims: Tensor, eps: Radius) -> Search:
        drawn.extend(samples.chance.at(torch.arange(len(samples))).uniform(samples.x).tolist())
        return begin(attack, samples, aims, eps)

    monkeypatch.setattr(SquareSearch, "begin", watched)
    attack, radii = "linf-square:queries=3,restarts=3", grid(["0.0001", "0.0002"])
    evaluate_model(network, images, attack, radii, schedule="bisect", audit=1)
    assert len(drawn) == 3 * (10 + 2)
    assert len({str(each) for each in drawn}) == len(drawn)


def test_memory_running_out_changes_nothing(rows) -> None:
    network, images = rows
    asked = []

    class Small(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            asked.append(len(x))
            if len(x) > 4 and len(asked) > 20:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return network(x)  # type: ignore[no-any-return]

    attack = "linf-square:queries=60"
    small, plain = (
        evaluate_model(
            *(net, images, attack, epsilons(attack)),
            **{"schedule": "bisect", "batch_size": size, "audit": 2, "num_threads": 1},
        )
        for net, size in ((Small(), 8), (network, 12))
    )
    assert small.samples.equals(plain.samples)
    assert small.record["audit"] == plain.record["audit"]
    assert "went on with 4" in small.record["notes"][0]


def test_progress_rises_to_the_end(rows) -> None:
    network, images = rows
    told: list[float] = []
    attack = "linf-apgd-t:steps=10,targets=2"
    evaluate_model(
        *(network, images, attack, epsilons(attack)),
        schedule="bisect",
        progress=lambda done, of, moment: told.append(done / of),
    )
    assert told[-1] == 1 and all(np.diff(told) >= -0.2)
