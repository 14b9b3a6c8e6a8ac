"""Attacks around an attack: the mean of random draws, and another network's adversarials."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.spec import build


def test_the_inner_attack_is_written_with_plus_signs() -> None:
    attack = build(Attack, "eot:attack=l2-pgd:steps=3+restarts=2,draws=4")
    assert str(attack.inner) == "l2-pgd:steps=3,restarts=2" and attack.norm == "l2"
    assert build(Attack, str(attack)) == attack
    minimal = build(Attack, "eot:attack=l2-fmn")
    assert not minimal.budget
    for wrong, why in (
        ("eot:attack=eot", "cannot wrap"),
        ("eot:attack=linf-pgd:target=next", "untargeted"),
        ("eot:attack=linf-pgdd", "did you mean 'linf-pgd'"),
        ("transfer:runs/a,attack=l2-fmn", "no budget"),
        ("transfer", "needs a source"),
    ):
        with pytest.raises(UsageError, match=why):
            build(Attack, wrong)


class Shaky(nn.Module):
    """A network that flips the sign of its gradient at random, and tells the truth on average."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        out = self.model(x)
        shake = 1 + 4 * torch.randn(len(x), 1)
        return out.detach() + shake * (out - out.detach())


def test_the_mean_of_draws_sees_through_randomness(planes) -> None:
    radius, shaky = grid(["0.03"]), Shaky(planes.model)
    one, many = (
        evaluate_model(shaky, planes.images, f"eot:attack=linf-fgsm,draws={d}", radius)
        for d in (1, 50)
    )
    plain = evaluate_model(planes.model, planes.images, "linf-fgsm", radius)
    alone, seen, truth = (e.accuracy()["accuracy"][0] for e in (one, many, plain))
    assert alone > truth + 0.2 and abs(seen - truth) < 0.1
    assert many.record["cost"]["backwards"] == pytest.approx(50)
    assert many.record["one_step"] and many.record["access"] == "gradient"


def test_one_draw_of_a_network_without_randomness_changes_nothing(
    cnn: nn.Module, images: Images
) -> None:
    found, plain = (
        evaluate_model(cnn, images, spec, grid(["0.02"])).correct()
        for spec in ("eot:attack=linf-bim:steps=3,draws=2", "linf-bim:steps=3")
    )
    assert found.equals(plain)


def test_transfer_crafts_on_the_source_and_asks_the_target(planes, linear) -> None:
    attack = build(Attack, "transfer:source=runs/other,attack=linf-fgsm")
    with pytest.raises(UsageError, match=r"the network of runs/other is not at hand"):
        evaluate_model(planes.model, planes.images, attack, grid(["0.03"]))
    torch.manual_seed(0)
    near = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    near.load_state_dict(planes.model.state_dict())
    near[1].weight.data += 0.3 * torch.randn(4, 16)
    near.train()
    attack.lend(near)
    found = evaluate_model(planes.model, planes.images, attack, grid(["0.03"]))
    white = evaluate_model(planes.model, planes.images, "linf-fgsm", grid(["0.03"]))
    own, foreign = (e.accuracy()["accuracy"][0] for e in (white, found))
    assert own < foreign < 1
    assert found.record["access"] == "none" and found.record["cost"]["backwards"] == 0
    assert near.training and near[1].weight.requires_grad
    attack.lend(planes.model)
    same = evaluate_model(planes.model, planes.images, attack, grid(["0.03"]))
    assert same.correct().equals(white.correct())
