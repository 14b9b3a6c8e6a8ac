"""Adversarial training on known networks, what each such method costs, what survives a kill."""

from __future__ import annotations

import logging
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from scipy import stats
from small import CLASSES, make_batch, make_model
from tiny import tiny
from torch import Tensor, nn

from robustbench_cli.data.dataset import Dataset, open_data
from robustbench_cli.data.datasets.spirals import Spirals
from robustbench_cli.models.model import Model
from robustbench_cli.spec import build, build_all
from robustbench_cli.training.adversarial.adversary import Adversarial
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.fast_at import FastTraining
from robustbench_cli.training.objective import Objective, cross_entropy
from robustbench_cli.training.train import Trainer

COST = {  # forwards and backwards of one optimiser step, as the docstrings count them
    "plain": (1, 1),
    "pgd-at:steps=4": (5, 5),
    "fgsm-at": (2, 2),
    "fgsm-at:label=predicted": (2, 3),
    "fgsm-at:random-start=true": (3, 3),
    "fgsm-at+mixup": (3, 3),
    "mixup+fgsm-at": (2, 2),
    "fast-at": (2, 2),
    "free-at": (1, 1),
    "trades:steps=4": (4 + 3, 4 + 2),
    "trades:beta=0": (1, 1),
    "mart:steps=4": (4 + 2, 4 + 2),
    "avm:steps=4": (4 + 1, 4 + 1),
    "layerwise-at": (2, 2),
    "layerwise-at:gradients=stale": (1, 1),
    "batchout": (1, 1),
    "large-margin": (1, 2),
}

BATCH_NORM_UPDATES = {
    "fgsm-at": 2,  # clean and attacked
    "fgsm-at:random-start=true": 2,
    "fast-at": 1,
    "fast-at:attack-bn=train": 2,
    "free-at": 1,
    "trades:steps=3": 2,
    "trades:steps=3,attack-bn=train": 2 + 1 + 3,
    "mart:steps=3": 2,
    "avm:steps=3": 1,
    "layerwise-at": 1,
    "layerwise-at:attack-bn=train": 2,
    "layerwise-at:gradients=stale": 1,
    "batchout": 1,
    "large-margin": 1,
}


@pytest.mark.parametrize("text", COST)
def test_a_step_costs_what_the_docstring_says(text: str) -> None:
    model, passes = make_model(), [0, 0]

    def backward(_: Tensor) -> None:
        passes[1] += 1

    def forward(_: nn.Module, __: object, logits: Tensor) -> None:
        passes[0] += 1
        if logits.requires_grad:
            logits.register_hook(backward)

    objective = Objective(model, build_all(Method, text))
    model.register_forward_hook(forward)
    objective(make_batch()).loss.backward()
    assert tuple(passes) == COST[text]


@pytest.mark.parametrize("text", BATCH_NORM_UPDATES)
def test_running_statistics_move_once_per_pass_in_train_mode(text: str) -> None:
    model = make_model()
    Objective(model, build_all(Method, text))(make_batch())
    counts = {int(m.num_batches_tracked) for m in model.modules() if isinstance(m, nn.BatchNorm2d)}
    assert counts == {BATCH_NORM_UPDATES[text]}


@pytest.mark.parametrize("text", [t for t in COST if t != "fgsm-at+mixup"])
def test_a_step_never_waits_for_the_device(text: str) -> None:
    """Meta tensors have no values, so whatever asks for one fails."""
    model = make_model().to("meta")
    objective = Objective(model, build_all(Method, text))
    batch = Batch(torch.rand(8, 3, 8, 8, device="meta"), torch.rand(8, CLASSES, device="meta"))
    for _ in range(2):
        objective(batch).loss.backward()


def linear(slope: Tensor) -> Model:
    """Two classes; the second's logit is slope . x, the first's is 0."""
    layer = nn.Linear(len(slope), 2, bias=False)
    layer.weight.data = torch.stack([torch.zeros_like(slope), slope])
    side = nn.Sequential(nn.Flatten(), layer)
    return Model(side, (), "1", [0.0], [1.0])


SLOPE = torch.tensor([1.0, -2.0, 0.5, 3.0])
SIGNS = torch.tensor([[1.0, -1, 1, 1], [-1, 1, -1, -1]])  # up the loss of class 0, and of class 1


def grey(n: int = 6) -> Batch:
    return Batch.of(0.4 + 0.2 * torch.rand(n, 1, 1, 4), torch.arange(n) % 2, 2)


class Recorder:
    """A `rest` that remembers which images it was trained on."""

    def __init__(self) -> None:
        self.images: list[Tensor] = []

    def __call__(self, model: Model, batch: Batch) -> Outcome:
        self.images.append(batch.x.detach())
        logits = model(batch.x)
        return Outcome(cross_entropy(logits, batch.y), logits)


# --- fgsm-at ---


@pytest.mark.parametrize("text", ["fgsm-at:eps=0.1", "fgsm-at:eps=0.1,random-start=true"])
def test_fgsm_at_on_a_linear_network_moves_along_the_slopes_signs(text: str) -> None:
    batch, rest = grey(), Recorder()
    build(Method, text).step(linear(SLOPE), batch, rest)
    assert torch.equal(rest.images[0], batch.x)
    moved = (rest.images[1] - batch.x) * SIGNS.repeat(3, 1).view_as(batch.x)
    if "random" in text:  # from any start, a step of eps ends on the right side of the image
        assert moved.min() >= -1e-6 and moved.max() <= 0.1 + 1e-6
    else:
        torch.testing.assert_close(moved, torch.full_like(moved, 0.1))


def test_fgsm_at_may_attack_the_predicted_label() -> None:
    batch, model, rest = grey(), linear(SLOPE), Recorder()
    predicted = Batch.of(batch.x, model(batch.x).argmax(1), 2)
    wrong = predicted.replace(y=predicted.y.flip(1))
    build(Method, "fgsm-at:eps=0.1,label=predicted").step(model, wrong, rest)
    build(Method, "fgsm-at:eps=0.1").step(model, predicted, rest)
    assert torch.equal(rest.images[1], rest.images[3]), "whatever the labels say"


def test_fgsm_at_equals_two_passes_taken_apart() -> None:
    batch, share = make_batch(), 0.3
    ours, theirs = make_model(), make_model()
    outcome = Objective(ours, build_all(Method, f"fgsm-at:clean={share},eps=0.1"))(batch)
    outcome.loss.backward()
    probe, x = deepcopy(theirs), batch.x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(cross_entropy(probe(x), batch.y), x)
    moved = (batch.x + 0.1 * gradient.sign()).clamp(0, 1)
    loss = share * cross_entropy(theirs(batch.x), batch.y)
    loss = loss + (1 - share) * cross_entropy(theirs(moved), batch.y)
    loss.backward()
    torch.testing.assert_close(outcome.loss, loss)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("text", ["fgsm-at:clean=1", "fgsm-at:eps=0"])
def test_fgsm_at_without_an_attack_has_the_plain_gradient(text: str) -> None:
    batch, gradients = make_batch(), []
    for each in (text, "plain"):
        model = make_model()
        Objective(model, build_all(Method, each))(batch).loss.backward()
        gradients.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)


def test_gradients_that_are_taken_already_still_reach_a_method_to_the_left() -> None:
    (free, fgsm) = build_all(Method, "free-at:eps=0.1+fgsm-at")
    model = make_model()
    Objective(model, [free, fgsm])(make_batch()).loss.backward()
    assert free.delta.abs().min() > 0  # type: ignore[attr-defined]


# --- pgd-at ---


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("start", ["true", "false"])
def test_pgd_at_on_a_linear_network_finds_the_optimum(norm: str, start: str) -> None:
    """The point of the ball that lies furthest along the slope; in linf a corner."""
    batch, rest = grey(), Recorder()
    text = f"pgd-at:eps=0.1,steps=40,step-size=0.02,norm={norm},random-start={start}"
    build(Method, text).step(linear(SLOPE), batch, rest)
    up = SIGNS if norm == "linf" else torch.stack([SLOPE, -SLOPE]) / SLOPE.norm()
    (trained,) = rest.images
    expected = batch.x + 0.1 * up.repeat(3, 1).view_as(batch.x)
    torch.testing.assert_close(trained, expected, atol=1e-3 if norm == "l2" else 1e-6, rtol=0)


def test_pgd_at_stays_among_the_images() -> None:
    batch, rest = grey(), Recorder()
    build(Method, "pgd-at:eps=0.9,steps=5").step(linear(SLOPE), batch, rest)
    assert torch.equal(rest.images[0].flatten(1), (SIGNS.repeat(3, 1) + 1) / 2)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_at_is_the_formula_step_by_step(norm: str) -> None:
    batch, rest, eps, step = make_batch(), Recorder(), 0.05, 0.03
    text = f"pgd-at:eps={eps},steps=4,step-size={step},norm={norm},random-start=false"
    build(Method, text).step(make_model(), batch, rest)
    model, x = make_model().eval(), batch.x.clone()
    for _ in range(4):
        x.requires_grad_()
        (g,) = torch.autograd.grad(cross_entropy(model(x), batch.y), x)
        with torch.no_grad():
            if norm == "linf":
                x = x + step * g.sign()
                x = torch.maximum(torch.minimum(x, batch.x + eps), batch.x - eps)
            else:
                x = x + step * g / g.pow(2).sum((1, 2, 3), keepdim=True).sqrt()
                length = (x - batch.x).pow(2).sum((1, 2, 3), keepdim=True).sqrt()
                x = torch.where(length > eps, batch.x + eps * (x - batch.x) / length, x)
            x = x.clamp(0, 1)
    torch.testing.assert_close(rest.images[0], x)


def test_a_step_left_open_is_two_and_a_half_radii_shared_among_the_steps() -> None:
    found = []
    for size in ("", ",step-size=0.0625"):
        rest, text = Recorder(), f"pgd-at:eps=0.1,steps=4,random-start=false{size}"
        torch.manual_seed(0)
        build(Method, text).step(make_model(), make_batch(), rest)
        found.append(rest.images[0])
    assert torch.equal(*found)


def test_pgd_at_weighs_clean_against_attacked_images() -> None:
    batch, model, rest = grey(), linear(SLOPE), Recorder()
    loss = build(Method, "pgd-at:eps=0.1,clean=0.3").step(model, batch, rest).loss
    attacked, clean = (cross_entropy(model(x), batch.y) for x in rest.images)
    assert torch.equal(rest.images[1], batch.x)
    torch.testing.assert_close(loss, 0.3 * clean + 0.7 * attacked)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_starts_are_uniform_in_the_ball(norm: str) -> None:
    torch.manual_seed(0)
    drawn = Adversarial(norm=norm).start(torch.zeros(4000, 1, 1, 3), 0.2).flatten(1)  # type: ignore[arg-type]
    if norm == "linf":
        shares = (drawn[:, 0] + 0.2) / 0.4
    else:
        shares = (drawn.norm(dim=1) / 0.2) ** 3  # of the ball's volume that lies further in
        # Archimedes: a coordinate of a direction in space is uniform
        along = (drawn[:, 1] / drawn.norm(dim=1) + 1) / 2
        assert stats.kstest(along.numpy(), "uniform").pvalue > 1e-3
    assert stats.kstest(shares.numpy(), "uniform").pvalue > 1e-3


# --- fast-at ---


@pytest.mark.parametrize("ratio", [1.25, 0.5])
def test_fast_at_on_a_linear_network_is_its_formula(ratio: float) -> None:
    batch, model, rest, eps = grey(), linear(SLOPE), Recorder(), 0.1
    torch.manual_seed(7)
    build(Method, f"fast-at:eps={eps},step-ratio={ratio}").step(model, batch, rest)
    torch.manual_seed(7)
    start = torch.empty_like(batch.x).uniform_(-eps, eps)
    up = SIGNS.repeat(3, 1).view_as(batch.x)
    delta = (start + ratio * eps * up).clamp(-eps, eps)
    assert len(rest.images) == 1, "trains on attacked images only"
    torch.testing.assert_close(rest.images[0], batch.x + delta)


def test_fast_ats_step_on_mnist_is_the_authors() -> None:
    method = FastTraining()
    method.adapt(build(Dataset, "mnist"))
    assert method.step_ratio * method.radius == pytest.approx(0.375)


def guarded(guard: str = "restore") -> tuple[FastTraining, Model]:
    """After one epoch with a network that withstands attacks of 0.01."""
    method = FastTraining(eps=0.01, guard=guard)  # type: ignore[arg-type]
    model = linear(SLOPE)
    return method, model


def an_epoch(method: FastTraining, model: Model, batch: Batch) -> dict[str, float]:
    method.step(model, batch, Recorder())
    return method.end_epoch(model)


def sure(model: Model, n: int = 10, margin: float = 0.05) -> Batch:
    """Images that a linear network classifies right until an attack of size `margin`."""
    slope = model.head.weight[1].detach()  # type: ignore[union-attr,operator]
    labels = torch.arange(n) % 2
    x = 0.5 + 0.05 * torch.rand(n, 4)
    wanted = (2 * labels - 1) * margin * slope.abs().sum()
    x = x + ((wanted - x @ slope) / slope.dot(slope))[:, None] * slope
    return Batch.of(x.view(n, 1, 1, 4), labels, 2)


def test_the_guard_measures_what_is_known_of_a_linear_network() -> None:
    """FGSM and PGD are both optimal there: they break an image if eps exceeds its margin."""
    for margin, accuracy in ((0.02, 1.0), (0.005, 0.0)):
        method, model = guarded()
        row = an_epoch(method, model, sure(model, margin=margin))
        assert row == {"fgsm": accuracy, "pgd": accuracy, "collapsed": 0.0}


@pytest.mark.parametrize("guard", ["restore", "stop", "warn", "off"])
def test_a_collapse_is_told_and_undone(guard: str, caplog: pytest.LogCaptureFixture) -> None:
    method, model = guarded(guard)
    batch = sure(model)
    an_epoch(method, model, batch)
    good = deepcopy(model.state_dict())
    model.head.weight.data *= -1  # type: ignore[union-attr,operator]
    with caplog.at_level(logging.WARNING):
        row = an_epoch(method, model, batch)
    restored = all(torch.equal(good[k], v) for k, v in model.state_dict().items())
    assert restored == (guard in ("restore", "stop"))
    assert row == ({} if guard == "off" else {"fgsm": 0.0, "pgd": 0.0, "collapsed": 1.0})
    told = [r.getMessage() for r in caplog.records]
    if guard == "off":
        assert not told
    else:
        assert len(told) == 1 and "fell from 1.00 to 0.00" in told[0] and "\n" not in told[0]


def test_a_fall_of_less_than_20_points_is_no_collapse() -> None:
    method, model = guarded()
    an_epoch(method, model, sure(model, margin=0.02))
    batch = sure(model, margin=0.02)
    one_wrong = batch.replace(y=torch.cat([batch.y[:9], batch.y[9:].flip(1)]))
    row = an_epoch(method, model, one_wrong)
    assert row["pgd"] == pytest.approx(0.9) and not row["collapsed"]


def test_after_stop_nothing_is_learnt_any_more() -> None:
    method, model = guarded("stop")
    batch = sure(model)
    an_epoch(method, model, batch)
    good = deepcopy(model.state_dict())
    model.head.weight.data *= -1  # type: ignore[union-attr,operator]
    an_epoch(method, model, batch)
    method.step(model, batch, Recorder()).loss.backward()
    assert all(not p.grad.any() for p in model.parameters())
    model.head.weight.data += 1  # weight decay would do such a thing  # type: ignore
    method.end_epoch(model)
    assert all(torch.equal(good[k], v) for k, v in model.state_dict().items())


# --- what they share ---


@pytest.mark.parametrize(
    "method",
    [
        "free-at:replays=2",
        "layerwise-at:gradients=stale",
        "fast-at",
        "fast-at:guard=stop,drop=0",
    ],
)
def test_what_a_method_remembers_survives_a_kill(tmp_path: Path, method: str) -> None:
    class Killed(BaseException): ...

    def kill(done: int, total: int, text: object) -> None:
        if done > total * 0.6:
            raise Killed

    data, config = open_data(Spirals(samples=40), Path()), tiny(epochs=4, method=method)
    straight = Trainer(config, data, tmp_path / "straight").run()
    with pytest.raises(Killed):
        Trainer(config, data, tmp_path / "killed", kill).run()
    resumed = Trainer(config, data, tmp_path / "killed").run()
    assert resumed.weights.read_bytes() == straight.weights.read_bytes()


def test_lengths_left_open_are_those_of_the_data_set() -> None:
    for text in ("fgsm-at", "fast-at", "free-at", "trades", "mart", "avm", "layerwise-at"):
        method = build(Method, text)
        method.adapt(build(Dataset, "mnist"))
        assert method.eps == 0.3, text  # type: ignore[attr-defined]
    ball = Adversarial(norm="l2")
    ball.adapt(build(Dataset, "mnist"))
    assert ball.eps == 2
