"""ALS and its sibling, SAT's activations, AdvProp's options: the parts of one known loop."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from small import CLASSES, make_batch, make_model, quick
from torch import nn

from robustbench_cli.errors import UsageError
from robustbench_cli.spec import build
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.advprop import DualBatchNorm
from robustbench_cli.training.methods.sat import SmoothReLU
from robustbench_cli.training.objective import Objective, cross_entropy

# --- als ---


def test_boltzmann_moves_mass_by_a_softmin_of_the_logits() -> None:
    """z = (0, ln 2, ln 4), T = 1: the softmin is (4, 2, 1) / 7."""
    als = build(Method, "als:alpha=0.7,towards=boltzmann,temperature=1")
    z, y = torch.tensor([[0.0, math.log(2), math.log(4)]]), torch.tensor([[0.0, 0.0, 1.0]])
    expected = torch.tensor([[0.4, 0.2, 0.1 + 0.3]])
    torch.testing.assert_close(als.targets(z, y), expected)


def test_boltzmann_tends_to_argmin_when_cold_and_to_uniform_smoothing_when_hot() -> None:
    z = torch.rand(20, CLASSES).argsort(1).float()  # 0 to 3 in any order: no near ties
    y = torch.eye(CLASSES)[torch.arange(20) % CLASSES]
    hard, uniform = build(Method, "als:alpha=0.3"), 0.7 * y + 0.3 / CLASSES
    cold, hot = (
        build(Method, f"als:alpha=0.3,towards=boltzmann,temperature={t}") for t in (0.001, 10**6)
    )
    torch.testing.assert_close(cold.targets(z, y), hard.targets(z, y), atol=1e-3, rtol=0)
    torch.testing.assert_close(hot.targets(z, y), uniform, atol=1e-5, rtol=0)


def test_the_labels_of_als_carry_no_gradient() -> None:
    z, y = torch.randn(5, CLASSES, requires_grad=True), torch.eye(CLASSES)[torch.arange(5) % 4]
    for text in ("als", "als:towards=boltzmann"):
        assert not build(Method, text).targets(z, y).requires_grad


# --- sat ---


@pytest.mark.parametrize("activation", ["softplus", "silu", "gelu", "elu", "smoothrelu"])
def test_every_smooth_activation_replaces_every_relu_and_ships(activation: str) -> None:
    (method,) = quick(f"sat:activation={activation}")
    model = make_model()
    Objective(model, [method])(make_batch()).loss.backward()
    method.deploy(model)
    assert not any(isinstance(m, nn.ReLU) for m in model.modules())


def test_smoothrelu_is_the_papers_and_smooth_at_zero() -> None:
    x = torch.linspace(-2, 2, 401, dtype=torch.double, requires_grad=True)
    out = SmoothReLU(5.0)(x)
    above = x.detach().clamp(min=0)
    torch.testing.assert_close(out, above - (5 * above + 1).log() / 5)
    (slope,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(slope, torch.where(above > 0, 1 - 1 / (5 * above + 1), 0))
    assert slope[200] == 0 and slope.diff().abs().max() < 0.05


def test_a_surrogate_gradient_has_one_form() -> None:
    with pytest.raises(UsageError, match="type smooth=full,activation=gelu"):
        build(Method, "sat:smooth=backward,activation=gelu")


# --- advprop ---


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_advprop_is_two_networks_that_share_all_but_their_norms(mode: str) -> None:
    """Two plain networks, one with the norms of each kind: loss, attack, gradients, statistics."""
    text = f"advprop:steps=1,eps=0.05,step-size=0.05,random-start=false,attack-bn={mode}"
    model, batch = make_model(), make_batch()
    objective = Objective(model, [build(Method, text)])
    duals = [m for m in model.modules() if isinstance(m, DualBatchNorm)]
    torch.manual_seed(1)
    for dual in duals:
        dual.aux.weight.data.uniform_(0.5, 2)
        dual.aux.bias.data.uniform_(-1, 1)
    main, aux = make_model(), make_model()
    for dual, norm in zip(duals, norms_of(aux), strict=True):
        norm.load_state_dict(dual.aux.state_dict())
    found = objective(batch).loss

    x = batch.x.clone().requires_grad_()
    aux.train(mode == "train")
    (slope,) = torch.autograd.grad(cross_entropy(aux(x), batch.y), x)
    attacked = (batch.x + 0.05 * slope.sign()).clamp(0, 1)
    aux.train()
    expected = cross_entropy(main(batch.x), batch.y) + cross_entropy(aux(attacked), batch.y)
    torch.testing.assert_close(found, expected)
    found.backward()
    expected.backward()
    for ours, first, second in zip(model.stages[1:], main.stages[1:], aux.stages[1:], strict=True):
        shared = [stage.get_submodule("0").weight.grad for stage in (ours, first, second)]
        torch.testing.assert_close(shared[0], shared[1] + shared[2], rtol=1e-4, atol=1e-6)  # type: ignore[operator]
    for dual, first, second in zip(duals, norms_of(main), norms_of(aux), strict=True):
        for ours, plain in ((dual.main, first), (dual.aux, second)):
            torch.testing.assert_close(ours.weight.grad, plain.weight.grad, rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(ours.running_mean, plain.running_mean)


def norms_of(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


def test_join_mean_is_the_mean_over_all_images_of_both_halves() -> None:
    losses = {}
    for join in ("sum", "mean"):
        model = make_model()
        objective = Objective(model, quick(f"advprop:join={join}"))
        torch.manual_seed(0)
        losses[join] = objective(make_batch()).loss
    torch.testing.assert_close(2 * losses["mean"], losses["sum"])


def test_a_random_target_is_another_class_and_the_attack_moves_towards_it() -> None:
    (method,) = quick("advprop:target=random,eps=0.3")
    model, batch = make_model(), make_batch(64)
    Objective(model, [method])
    aims = []

    def watch(net, x, loss):  # type: ignore[no-untyped-def]
        # the loss of one-hot logits tells which class is aimed at: it is the largest there
        aims.append(
            torch.stack(
                [
                    loss(10 * F.one_hot(torch.full((64,), c), CLASSES).float())
                    for c in range(CLASSES)
                ]
            )
        )
        moved = perturb(net, x, loss)
        net.eval()
        assert loss(net(moved)) > loss(net(x))
        net.train()
        return moved

    perturb, method.perturb = method.perturb, watch
    objective = Objective(make_model(), [])
    method.step(model.train(), batch, lambda net, b: objective(b))
    torch.manual_seed(3)
    drawn = [method._loss(batch.y) for _ in range(30)]
    logits = torch.log(0.97 * batch.y + 0.01)  # almost sure of the label
    for loss in drawn:
        assert -loss(logits) > cross_entropy(logits, batch.y) + 3, "never the label itself"


def test_the_reports_loop_is_one_loss_on_both_halves() -> None:
    """als+sat+advprop: the clean half on the main norms, the attacked one on the auxiliary ones."""
    text = "als:alpha=0.02+sat:smooth=backward+advprop:steps=1,join=mean"
    methods, model = quick(text), make_model()
    objective = Objective(model, methods)
    batch, als, advprop = make_batch(), methods[0], methods[2]
    x = []
    perturb = advprop.perturb

    def keep(net, images, loss):  # type: ignore[no-untyped-def]
        x.append(perturb(net, images, loss))
        return x[0]

    advprop.perturb = keep
    model.train()
    found = objective(batch).loss
    from robustbench_cli.training.methods.advprop import auxiliary

    twin = make_model()
    Objective(twin, quick(text))
    clean = twin.train()(batch.x)
    with auxiliary(twin):
        attacked = twin(x[0])
    logits, y = torch.cat([clean, attacked]), torch.cat([batch.y, batch.y])
    torch.testing.assert_close(found, cross_entropy(logits, als.targets(logits, y)))
