"""Facts about methods that only hold if composition is right; each has an independent answer."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small import CLASSES, make_batch, make_model, quick, train
from torch import nn
from torch.distributions import Normal, kl_divergence

from robustbench_cli.spec import build
from robustbench_cli.training.batch import Batch, training_forward
from robustbench_cli.training.bottlenecks import bottleneck as layers
from robustbench_cli.training.bottlenecks.bottleneck import Bottleneck
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.advprop import DualBatchNorm
from robustbench_cli.training.methods.sat import SmoothBackwardReLU
from robustbench_cli.training.objective import Objective, cross_entropy


def weights(text: str) -> dict[str, torch.Tensor]:
    return train(quick(text))[0].state_dict()


@pytest.mark.parametrize(
    "neutral",
    [
        "mixup:alpha=0",
        "mixup:alpha=0,per-sample=true",
        "manifold-mixup:alpha=0",
        "als:alpha=0",
        "pgd-at:eps=0",
        "sat:smooth=attacker",
    ],
)
def test_a_neutral_parameter_is_plain_training(neutral: str) -> None:
    # a draw that changes nothing still advances the generator, so the batches are made beforehand
    batches = [make_batch() for _ in range(3)]

    def after(text: str) -> list[torch.Tensor]:
        model = make_model()
        objective = Objective(model, quick(text))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for batch in batches:
            optimizer.zero_grad()
            objective(batch).loss.backward()
            optimizer.step()
        return list(model.parameters())

    for ours, plain in zip(after(neutral), after("plain"), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)


def test_soft_labels_give_the_mixup_loss_of_the_paper() -> None:
    logits, y = torch.randn(8, CLASSES), torch.arange(8) % CLASSES
    order, keep = torch.randperm(8), 0.3
    mixed = keep * F.one_hot(y, CLASSES) + (1 - keep) * F.one_hot(y[order], CLASSES)
    paper = keep * F.cross_entropy(logits, y) + (1 - keep) * F.cross_entropy(logits, y[order])
    torch.testing.assert_close(cross_entropy(logits, mixed.float()), paper)


def test_manifold_mixup_at_the_image_is_input_mixup() -> None:
    batch, losses = make_batch(), []
    for text in ("manifold-mixup:alpha=1,depth=1", "mixup:alpha=1"):
        objective = Objective(make_model(), quick(text))
        random.seed(5)
        torch.manual_seed(5)
        losses.append(objective(batch).loss)
    torch.testing.assert_close(*losses)


def test_als_moves_mass_to_the_least_likely_class_and_shares_ties() -> None:
    als = build(Method, "als:alpha=0.2")
    y = F.one_hot(torch.tensor([0, 1]), 3).float()
    moved = als.targets(torch.tensor([[3.0, 1.0, 2.0], [1.0, 1.0, 4.0]]), y)
    expected = [[0.8, 0.2, 0.0], [0.1, 0.8 + 0.1, 0.0]]  # the second: classes 0 and 1 tie
    torch.testing.assert_close(moved, torch.tensor(expected))


def test_advprop_main_statistics_equal_clean_training() -> None:
    batch = make_batch()
    doubled, plain = make_model(), make_model()
    Objective(doubled, quick("advprop"))(batch)
    Objective(plain, [])(batch)
    mains = [m.main for m in doubled.modules() if isinstance(m, DualBatchNorm)]
    norms = [m for m in plain.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(mains) == len(norms) == 3
    for main, norm in zip(mains, norms, strict=True):
        assert torch.equal(main.running_mean, norm.running_mean)
        assert torch.equal(main.running_var, norm.running_var)
        assert main.num_batches_tracked == 1


def test_pgd_at_updates_batch_norm_once_per_step() -> None:
    model = make_model()
    Objective(model, quick("pgd-at"))(make_batch())
    assert all(m.num_batches_tracked == 1 for m in model.modules() if isinstance(m, nn.BatchNorm2d))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_adversaries_stay_in_the_ball_and_raise_the_loss(norm: str) -> None:
    (method,) = quick(f"pgd-at:eps=0.1,norm={norm}")
    model, batch = make_model().eval(), make_batch()
    adversarial = method.perturb(model, batch.x, lambda z: cross_entropy(z, batch.y))
    moved = (adversarial - batch.x).flatten(1)
    length = moved.abs().amax(1) if norm == "linf" else moved.norm(dim=1)
    assert length.max() <= 0.1 * (1 + 1e-5) and length.min() > 0.05
    assert adversarial.min() >= 0 and adversarial.max() <= 1
    assert cross_entropy(model(adversarial), batch.y) > cross_entropy(model(batch.x), batch.y)
    assert all(p.grad is None for p in model.parameters())


def test_an_edit_fires_once_even_when_the_attack_runs_in_train_mode() -> None:
    fired = []
    model = make_model()
    stage = model.stages[1]

    class Counting(Method):
        def step(self, model, batch, rest):  # type: ignore[no-untyped-def]
            from robustbench_cli.training.hooks import editing

            with editing(stage, lambda h: (fired.append(1), h)[1]):
                return rest(model, batch)

    attack = build(Method, "pgd-at:steps=5,attack-bn=train")
    Objective(model, [Counting(), attack])(make_batch())
    assert len(fired) == 1


@pytest.mark.parametrize("smooth", ["backward", "attacker", "optimiser"])
def test_sat_forward_is_exactly_relu(smooth: str) -> None:
    x = torch.randn(1000, dtype=torch.float64, requires_grad=True)
    layer = SmoothBackwardReLU(10.0, smooth)  # type: ignore[arg-type]
    assert torch.equal(layer(x), x.relu())
    with training_forward(Batch(x, x)):
        assert torch.equal(layer(x), x.relu())


def test_sat_gradient_is_the_sigmoid_for_whom_it_is_meant() -> None:
    x = torch.randn(1000, dtype=torch.float64, requires_grad=True)
    sigmoid, step = torch.sigmoid(10 * x.detach()), (x.detach() > 0).double()

    def slope(smooth: str, optimising: bool) -> torch.Tensor:
        layer = SmoothBackwardReLU(10.0, smooth)  # type: ignore[arg-type]
        if optimising:
            with training_forward(Batch(x, x)):
                out = layer(x)
        else:
            out = layer(x)
        return torch.autograd.grad(out.sum(), x)[0]

    for smooth, attacker, optimiser in [
        ("backward", sigmoid, sigmoid),
        ("attacker", sigmoid, step),
        ("optimiser", step, sigmoid),
    ]:
        torch.testing.assert_close(slope(smooth, False), attacker)
        torch.testing.assert_close(slope(smooth, True), optimiser)


def test_sat_full_is_the_papers_parametric_softplus() -> None:
    model = make_model()
    Objective(model, quick("sat:sharpness=5"))
    (first, *_) = [m for m in model.modules() if isinstance(m, nn.Softplus)]
    x = torch.linspace(-2, 2, 9)
    torch.testing.assert_close(first(x), torch.log1p(torch.exp(5 * x)) / 5)


def code(mean: torch.Tensor, rho: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The code and its divergence."""
    return layers._Code.apply(torch.cat([mean, rho], 1), noise)[:2]  # type: ignore[no-any-return]


def test_the_bottlenecks_divergence_is_torchs() -> None:
    mean, raw, noise = torch.randn(3, 6, 5)
    std = F.softplus(raw)
    expected = kl_divergence(Normal(mean, std), Normal(0.0, 1.0)).sum(1).mean()
    found, charge = code(mean, raw + 5, noise)
    torch.testing.assert_close(charge, expected)
    torch.testing.assert_close(found, mean + std * noise)


def test_the_codes_own_gradients_are_those_of_differences() -> None:
    mean, rho = torch.randn(2, 3, 4, dtype=torch.double)
    given = mean.requires_grad_(), (rho + 5).requires_grad_(), torch.randn(3, 4).double()
    assert torch.autograd.gradcheck(code, given)
    assert torch.autograd.gradgradcheck(code, given)


def test_the_divergence_stays_finite_where_softplus_underflows() -> None:
    rho = torch.full((2, 3), -145.0, requires_grad=True)
    _, loss = code(torch.zeros(2, 3), rho, torch.randn(2, 3))
    loss.backward()
    assert loss.item() == pytest.approx(3 * (150 - 0.5), rel=1e-4)
    assert rho.grad is not None
    torch.testing.assert_close(rho.grad, torch.full((2, 3), -0.5))  # -log σ is 5 - ρ there


def test_a_bottleneck_charges_training_forwards_only() -> None:
    layer = Bottleneck(nn.Linear(4, CLASSES), 8, beta=1.0)
    h = torch.rand(5, 4)
    with training_forward(Batch(h, h)) as forward:
        layer(h)
    assert len(forward.penalties) == 1
    layer(h)
    assert len(forward.penalties) == 1


def test_attacks_and_evaluation_leave_info_mixups_statistics_alone() -> None:
    model = make_model()
    Objective(model, quick("info-mixup"))
    before = deepcopy(model.state_dict())
    (attack,) = quick("pgd-at:attack-bn=eval")
    batch = make_batch()
    attack.perturb(model, batch.x, lambda z: cross_entropy(z, batch.y))
    model.eval()(batch.x)
    after = model.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_vib_is_charged_once_in_pgd_at_and_twice_in_advprop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charged = list[int]()

    def counting(*args: Any) -> torch.Tensor:
        _, forward, _, _, code = args
        charged.append(len(forward.penalties))
        return code  # type: ignore[no-any-return]

    monkeypatch.setattr(Bottleneck, "train_code", counting)
    for text, times in {"vib": 1, "pgd-at+vib": 1, "advprop+vib": 2}.items():
        charged.clear()
        Objective(make_model(), quick(text))(make_batch())
        assert charged == [1] * times, text
