"""What every method gets tested for nothing: alone, and in every ordered pair of the folder."""

from __future__ import annotations

import itertools

import pytest
import torch
from small import make_batch, make_model, quick, train

from robustbench_cli.errors import CompositionError
from robustbench_cli.spec import build, build_all, names
from robustbench_cli.training.batch import current_forward
from robustbench_cli.training.deploy import defences
from robustbench_cli.training.method import Method
from robustbench_cli.training.objective import Objective, check

ALL = names("methods")
AT_TEST_TIME = defences()
IN_TRAINING = [name for name in ALL if name not in AT_TEST_TIME]  # the others leave it alone
PAIRED = [name for name in IN_TRAINING if name != "plain"]


def assert_contract(methods: list[Method], epochs: int = 3, samples: int = 8) -> None:
    model = make_model()
    objective = Objective(model, methods)
    model.train()
    for _ in range(epochs):
        batch = make_batch(samples)
        x, y = batch.x.clone(), batch.y.clone()
        model.zero_grad()
        outcome = objective(batch)
        outcome.loss.backward()
        assert torch.isfinite(outcome.loss)
        assert outcome.logits.shape == batch.y.shape
        assert torch.equal(batch.x, x) and torch.equal(batch.y, y), "the caller's batch changed"
        assert not batch.x.requires_grad
        for method in methods:
            method.end_epoch(model)
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert not without, f"no gradient for {without}"
    assert model.training and current_forward() is None
    hooked = [m for m in model.modules() if m._forward_pre_hooks or m._forward_hooks]
    assert not hooked, "a hook stayed behind"
    model.eval()
    x = make_batch().x
    before = model(x)
    for method in reversed(methods):
        method.deploy(model)
    if not any(method.swaps for method in methods):
        assert torch.equal(before, model(x)), "deploy changed the outputs"


@pytest.mark.parametrize("name", ALL)
def test_alone(name: str) -> None:
    (method,) = quick(name)
    assert_contract([method])


@pytest.mark.parametrize("name", ALL)
def test_spec_round_trip(name: str) -> None:
    method = build(Method, name)
    assert str(method) == name
    assert build(Method, str(method)) == method


@pytest.mark.parametrize("name", ALL)
def test_same_seed_same_losses(name: str) -> None:
    assert train(quick(name))[1] == train(quick(name))[1]


@pytest.mark.slow
@pytest.mark.parametrize("pair", list(itertools.permutations(PAIRED, 2)), ids="+".join)
def test_pairs_train_or_are_refused_with_the_order_that_works(pair: tuple[str, str]) -> None:
    methods = quick("+".join(pair))
    try:
        check(methods)
    except CompositionError as refusal:
        if "keep one" not in str(refusal):
            assert f"{methods[1]}+{methods[0]}" in str(refusal)
            check(methods[::-1])
        return
    assert_contract(methods, epochs=2, samples=4)  # the second sees the first one's statistics


@pytest.mark.parametrize(
    "text",
    [
        "als+sat+advprop",
        "mixup+info-mixup",
        "mixup:alpha=0.4+pgd-at",
        "pgd-at:clean=0.5+mixup",
        "manifold-mixup+als+sat+pgd-at",
        "mixup+manifold-mixup+advprop+als+sat+info-mixup",
    ],
)
def test_published_and_long_compositions(text: str) -> None:
    assert_contract(quick(text))


def test_only_one_method_may_replace_the_head() -> None:
    with pytest.raises(CompositionError, match="both replace the head: keep one"):
        check(build_all(Method, "vib+info-mixup"))
