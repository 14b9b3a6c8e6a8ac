"""Crafting on a faster copy: the same answers, and verdicts that are never its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation import evaluate
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.network import Clean, Network
from robustbench_cli.evaluation.plan import Victim
from robustbench_cli.evaluation.throughput.fast_path import Crafting, FastPath, quicken

EPSILONS = grid(ranges=["0:0.1:0.02"])
PGD = "linf-pgd:steps=3"


def quickened(network: nn.Module, x: Tensor, **wishes: object) -> Network | None:
    labels = torch.zeros(len(x), dtype=torch.long)
    victim = Victim(Network(network.eval()), Clean(labels, labels, 4), None)
    return quicken(victim, x, Crafting(**wishes)).crafting  # type: ignore[arg-type]


def test_batch_norm_is_folded_and_nothing_changes(cnn: nn.Module, images: Images) -> None:
    before = {k: v.clone() for k, v in cnn.state_dict().items()}
    faster = quickened(cnn, images.x)
    assert faster is not None
    assert not any(isinstance(m, nn.BatchNorm2d) for m in faster.modules())
    torch.testing.assert_close(faster(images.x), cnn(images.x), rtol=1e-4, atol=1e-5)
    assert all(torch.equal(v, before[k]) for k, v in cnn.state_dict().items())
    assert not any(p.requires_grad for p in faster.parameters())


def test_the_verdicts_are_those_of_the_network_itself(cnn: nn.Module, images: Images) -> None:
    fast = evaluate_model(cnn, images, PGD, EPSILONS)
    own = evaluate_model(cnn, images, PGD, EPSILONS, crafting=Crafting(copy=False))
    assert fast.record["crafted_on_copy"] and not own.record["crafted_on_copy"]
    assert (fast.correct() == own.correct()).all().all()
    for key in ("forwards", "backwards"):
        assert fast.record["cost"][key] == pytest.approx(own.record["cost"][key], rel=0.05)


@pytest.mark.parametrize("attack", [PGD, "linf-noise:draws=2"])
def test_a_wrong_copy_breaks_nothing(
    attack: str, cnn: nn.Module, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Liar(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return -cnn.eval()(x)

    def lie(victim: Victim, x: Tensor, crafting: Crafting) -> Victim:
        return Victim(victim.network, victim.clean, None, Network(Liar()).eval())

    monkeypatch.setattr(evaluate, "quicken", lie)
    found = evaluate_model(cnn, images, attack, grid(["0.001"]))
    assert found.accuracy()["accuracy"][0] == found.clean_accuracy
    assert not found.record["rejected"]


@pytest.mark.parametrize("kind", ["hooked", "random", "no gradient through the first layer"])
def test_networks_that_a_copy_would_not_stand_for(
    kind: str, cnn: nn.Sequential, images: Images
) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = cnn

        def forward(self, x: Tensor) -> Tensor:
            if kind == "random":
                return self.net(x + 0.1 * torch.randn_like(x))
            with torch.no_grad():
                noise = 0.5 * x
            return self.net(0.5 * x + noise)

    if kind == "hooked":
        cnn[0].register_forward_hook(lambda *_: None)
    assert kind.startswith("no ") or quickened(Odd(), images.x) is None
    if kind.startswith("no "):  # tracing would lose torch.no_grad, so nothing is folded
        faster = quickened(Odd(), images.x)
        assert faster is not None
        assert any(isinstance(m, nn.BatchNorm2d) for m in faster.modules())


def test_reduced_precision_crafts_and_float32_judges(cnn: nn.Module, images: Images) -> None:
    faster = quickened(cnn, images.x, precision="bfloat16")
    assert faster is not None and isinstance(faster.predictor, FastPath)
    logits = faster(images.x)
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, cnn(images.x))
    asked = Crafting(precision="bfloat16")
    found = evaluate_model(cnn, images, PGD, EPSILONS, crafting=asked)
    assert found.record["identity"]["crafting"] == "bfloat16"
    assert not found.record["rejected"]
    with pytest.raises(UsageError, match="bfloat16"):
        Crafting(precision="int4")  # type: ignore[arg-type]


def test_a_network_without_convolutions_stays_as_it_is(linear) -> None:
    assert quickened(linear.model, linear.images.x) is None
