"""TRADES and MART against torch's own divergence and against a loop over samples."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from small import CLASSES, make_batch, make_model, quick
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.spec import build
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.hooks import eval_mode
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.mart import boosted_margin, weighted_divergence
from robustbench_cli.training.methods.trades import divergence
from robustbench_cli.training.objective import Objective, cross_entropy


class Recorder:
    """A `rest` that keeps the images it is shown and the logits it answers with."""

    def __init__(self) -> None:
        self.images: list[Tensor] = []
        self.logits: list[Tensor] = []

    def __call__(self, model: torch.nn.Module, batch: Batch) -> Outcome:
        self.images.append(batch.x)
        self.logits.append(model(batch.x))
        return Outcome(cross_entropy(self.logits[-1], batch.y), self.logits[-1])


# --- TRADES ---


def test_the_divergence_is_torchs() -> None:
    z, w = torch.randn(6, CLASSES), torch.randn(6, CLASSES)
    expected = kl_divergence(Categorical(logits=z), Categorical(logits=w)).mean()
    torch.testing.assert_close(divergence(z.log_softmax(1), w.log_softmax(1)), expected)


def test_trades_adds_the_divergence_of_what_training_saw() -> None:
    batch, rest, model = make_batch(), Recorder(), make_model()
    outcome = build(Method, "trades:beta=3,steps=2,eps=0.1").step(model, batch, rest)
    clean, moved = rest.logits
    gap = kl_divergence(Categorical(logits=clean), Categorical(logits=moved)).mean()
    torch.testing.assert_close(outcome.loss, cross_entropy(clean, batch.y) + 3 * gap)
    assert outcome.logits is clean and torch.equal(rest.images[0], batch.x)
    # the gradient flows through both predictions
    ours = torch.autograd.grad(outcome.loss, rest.logits, retain_graph=True)
    theirs = torch.autograd.grad(cross_entropy(clean, batch.y) + 3 * gap, rest.logits)
    torch.testing.assert_close(ours, theirs)
    assert all(g.abs().max() > 0 for g in ours)


def test_trades_attacks_the_divergence_in_eval_mode() -> None:
    batch, rest, model = make_batch(), Recorder(), make_model()
    build(Method, "trades:steps=5,eps=0.1").step(model, batch, rest)
    near = batch.x + 0.001 * torch.randn_like(batch.x)
    with eval_mode(model), torch.no_grad():
        p, start, end = (Categorical(logits=model(x)) for x in (batch.x, near, rest.images[1]))
    assert kl_divergence(p, end).mean() > 100 * kl_divergence(p, start).mean()
    assert (rest.images[1] - batch.x).abs().max() <= 0.1 + 1e-6


@pytest.mark.parametrize("name", ["trades", "mart"])
def test_the_start_is_a_small_gaussian_step(name: str) -> None:
    method, x = build(Method, name), torch.full((10, 3, 20, 20), 0.5)
    drawn = method.start(x, 0.1)  # type: ignore[attr-defined]
    assert drawn.std().item() == pytest.approx(0.001, rel=0.05)
    assert abs(drawn.mean().item()) < 1e-4


def test_beta_zero_is_plain_training() -> None:
    batches, trained = [make_batch() for _ in range(3)], []
    for text in ("trades:beta=0", "plain"):
        model = make_model()
        objective = Objective(model, quick(text))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for batch in batches:
            optimizer.zero_grad()
            objective(batch).loss.backward()
            optimizer.step()
        trained.append(model.state_dict())
    assert all(torch.equal(trained[0][k], trained[1][k]) for k in trained[0])


@pytest.mark.parametrize(("data", "beta"), [("mnist", 1.0), ("cifar10", 6.0), ("digits", 6.0)])
def test_betas_of_the_authors(data: str, beta: float) -> None:
    method = build(Method, "trades")
    method.adapt(build(Dataset, data))
    assert method.beta == beta  # type: ignore[attr-defined]


# --- MART ---


def loop(clean: Tensor, attacked: Tensor, labels: list[int], beta: float) -> float:
    """The paper's formula, sample by sample, in plain Python."""
    total = 0.0
    for z, w, label in zip(clean.tolist(), attacked.tolist(), labels, strict=True):
        p, q = ([math.exp(v) / sum(map(math.exp, row)) for v in row] for row in (z, w))
        rival = max(v for c, v in enumerate(q) if c != label)
        boosted = -math.log(q[label]) - math.log(1.0001 - rival)
        gap = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        total += boosted + beta * gap * (1 - p[label])
    return total / len(labels)


def test_mart_is_the_papers_formula() -> None:
    batch, rest, model = make_batch(), Recorder(), make_model()
    outcome = build(Method, "mart:beta=5,steps=2,eps=0.1").step(model, batch, rest)
    expected = loop(*rest.logits, batch.y.argmax(1).tolist(), beta=5)
    assert outcome.loss.item() == pytest.approx(expected, rel=1e-5)
    assert outcome.logits is rest.logits[0] and torch.equal(rest.images[0], batch.x)


def test_mart_where_the_label_is_the_likeliest_class_and_where_it_is_not() -> None:
    z, w = 3 * torch.randn(40, CLASSES), 3 * torch.randn(40, CLASSES)
    labels = [i % CLASSES for i in range(40)]
    hits = (w.argmax(1) == torch.tensor(labels)).sum()
    assert 0 < hits < 40
    y = F.one_hot(torch.tensor(labels), CLASSES).float()
    ours = cross_entropy(w, y) + boosted_margin(w, y) + 6 * weighted_divergence(z, w, y)
    assert ours.item() == pytest.approx(loop(z, w, labels, beta=6), rel=1e-5)


def test_a_soft_label_is_the_mean_over_its_classes() -> None:
    z, w = torch.randn(1, CLASSES), torch.randn(1, CLASSES)
    y = torch.tensor([[0.7, 0.0, 0.3, 0.0]])
    ours = cross_entropy(w, y) + boosted_margin(w, y) + 6 * weighted_divergence(z, w, y)
    expected = 0.7 * loop(z, w, [0], beta=6) + 0.3 * loop(z, w, [2], beta=6)
    assert ours.item() == pytest.approx(expected, rel=1e-5)


def test_marts_gradient_flows_through_both_predictions() -> None:
    batch, rest = make_batch(), Recorder()
    outcome = build(Method, "mart:steps=1,eps=0.1").step(make_model(), batch, rest)
    assert all(g.abs().max() > 0 for g in torch.autograd.grad(outcome.loss, rest.logits))
