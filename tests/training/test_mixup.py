"""Input mixup read back from its labels, and manifold mixup against a network by hand."""

from __future__ import annotations

import random
from copy import deepcopy

import pytest
import torch
from scipy import stats
from small import make_batch, make_model, quick
from torch import Tensor, nn

from robustbench_cli.models.model import Model
from robustbench_cli.spec import build
from robustbench_cli.training.adversarial.adversary import Adversarial
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Method
from robustbench_cli.training.objective import Objective, cross_entropy

N = 8


def handed_on(text: str, batch: Batch) -> Batch:
    """What the method trains on in place of the batch."""
    seen: list[Batch] = []

    def rest(_: object, given: Batch) -> Outcome:
        seen.append(given)
        return Outcome(torch.zeros(()), given.y)

    build(Method, text).step(None, batch, rest)  # type: ignore[arg-type]
    (only,) = seen
    return only


def own_classes(n: int = N) -> Batch:
    """Image i is the only one of class i, so that the labels tell who was mixed with whom."""
    return Batch(torch.rand(n, 3, 4, 4), torch.eye(n))


def read(y: Tensor) -> list[tuple[int, int, float]]:
    """(i, partner, share of i) of those that were not mixed with themselves."""
    found = []
    for i, row in enumerate(y):
        others = [j for j in range(len(y)) if j != i and row[j] > 0]
        assert len(others) <= 1 and row.sum().item() == pytest.approx(1)
        found += [(i, j, row[i].item()) for j in others]
    return found


@pytest.mark.parametrize("settings", ["", ",per-sample=true"])
def test_images_and_labels_are_mixed_with_one_share_and_one_permutation(settings: str) -> None:
    for seed in range(10):
        random.seed(seed)
        torch.manual_seed(seed)
        batch = own_classes()
        mixed = handed_on(f"mixup:alpha=1{settings}", batch)
        pairs = read(mixed.y)
        for i, j, share in pairs:
            expected = share * batch.x[i] + (1 - share) * batch.x[j]
            torch.testing.assert_close(mixed.x[i], expected)
        assert len({j for _, j, _ in pairs}) == len(pairs), "everybody is somebody's partner once"
        distinct = {round(share, 4) for _, _, share in pairs}
        assert len(distinct) == (len(pairs) if settings else 1)


@pytest.mark.parametrize("alpha", [0.4, 1.0, 8.0])
@pytest.mark.parametrize("settings", ["", ",per-sample=true"])
def test_shares_follow_the_beta_distribution(alpha: float, settings: str) -> None:
    random.seed(1)
    torch.manual_seed(1)
    batch, drawn = own_classes(), []
    for _ in range(60 if settings else 400):
        found = [
            share for _, _, share in read(handed_on(f"mixup:alpha={alpha}{settings}", batch).y)
        ]
        drawn += found if settings else found[:1]
    assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


# --- manifold mixup ---


def by_hand(model: Model, batch: Batch, layer: int, order: Tensor, keep: float) -> Tensor:
    """The loss of the little network when its hidden activation number `layer` is mixed."""
    net = model.network
    tail = nn.Sequential(net.three, nn.AdaptiveAvgPool2d(1), nn.Flatten(), net.head)
    parts = [nn.Sequential(model.normalise, net.one), net.two, tail]  # type: ignore[list-item]
    h = batch.x
    for number, part in enumerate(parts):
        if number == layer:
            h = keep * h + (1 - keep) * h[order]
        h = part(h)
    return keep * cross_entropy(h, batch.y) + (1 - keep) * cross_entropy(h, batch.y[order])


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_hidden_activation_is_mixed_and_gradients_reach_both_operands(
    layer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = make_model(), make_batch()
    twin = deepcopy(model)
    monkeypatch.setattr(random, "choice", lambda stages: stages[layer])
    monkeypatch.setattr(random, "betavariate", lambda a, b: 0.3)
    torch.manual_seed(4)
    found = Objective(model, quick("manifold-mixup"))(batch).loss
    torch.manual_seed(4)
    expected = by_hand(twin, batch, layer, torch.randperm(len(batch)), 0.3)
    torch.testing.assert_close(found, expected)
    ours = torch.autograd.grad(found, list(model.parameters()))
    theirs = torch.autograd.grad(expected, list(twin.parameters()))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_layer_is_drawn_from_the_first_ones(
    depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[list[nn.Module]] = []
    model = make_model()
    monkeypatch.setattr(random, "choice", lambda stages: (offered.append(stages), stages[0])[1])
    Objective(model, quick(f"manifold-mixup:depth={depth}"))(make_batch())
    assert offered == [[model.normalise, model.network.two, model.network.three][:depth]]


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_an_attack_to_the_right_sees_no_mixing(
    layer: int, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "choice", lambda stages: stages[layer])
    attack, batch = f"pgd-at:eps=0.1,random-start=false,attack-bn={mode}", make_batch()
    found: list[Tensor] = []
    for text in (f"manifold-mixup:alpha=1+{attack}", attack):
        methods = quick(text)
        pgd = methods[-1]
        assert isinstance(pgd, Adversarial)
        perturb = pgd.perturb

        def attacked(model, x, loss, perturb=perturb):  # type: ignore[no-untyped-def]
            found.append(perturb(model, x, lambda z: cross_entropy(z, batch.y)))
            return found[-1]

        pgd.perturb = attacked  # type: ignore[method-assign]
        Objective(make_model(), methods)(batch)
    assert torch.equal(*found) and not torch.equal(found[0], batch.x)
