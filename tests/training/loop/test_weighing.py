"""Uneven classes: weights, held against scikit-learn and torch, and balanced accuracy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight
from small import CLASSES, make_batch, make_model, quick
from tiny import TINY, tiny

from robustbench_cli import train
from robustbench_cli.data.dataset import Data, open_data
from robustbench_cli.data.datasets.spirals import Spirals
from robustbench_cli.errors import UsageError
from robustbench_cli.training.loop.weighing import class_weights, unevenness
from robustbench_cli.training.objective import Objective, weighted_cross_entropy
from robustbench_cli.training.train import Trainer

LABELS = torch.tensor([0] * 7 + [1] * 2 + [2] * 3)
ABC = ("a", "b", "c")


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    expected = compute_class_weight("balanced", classes=np.arange(3), y=LABELS.numpy())
    found = class_weights("balanced", LABELS, ABC)
    assert found is not None
    assert np.allclose(found.numpy(), expected, rtol=1e-6, atol=0)
    assert unevenness(LABELS) == 3.5


def test_hard_labels_give_torchs_own_weighted_loss_and_gradient() -> None:
    logits = torch.randn(12, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weights = torch.tensor([0.5, 2.0, 0.0])
    ours = weighted_cross_entropy(logits, F.one_hot(LABELS, 3).float(), weights)
    theirs = F.cross_entropy(logits, LABELS, weight=weights)
    assert torch.allclose(ours, theirs, rtol=1e-6, atol=0)
    slopes = [torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs)]
    assert torch.allclose(slopes[0], slopes[1], rtol=1e-5, atol=1e-8)


def test_a_soft_label_is_so_many_images_of_each_class() -> None:
    """Three images of 0 and one of 1 that look alike are one image of [3/4, 1/4]."""
    logits, weights = torch.tensor([[1.0, -0.5]]), torch.tensor([1.0, 5.0])
    soft = weighted_cross_entropy(logits, torch.tensor([[0.75, 0.25]]), weights)
    hard = F.cross_entropy(logits.expand(4, 2), torch.tensor([0, 0, 0, 1]), weight=weights)
    assert torch.allclose(soft, hard)


def test_weights_reach_what_every_method_shows_the_network() -> None:
    """Where an image's class counts nothing, no method learns from it."""
    weights = torch.tensor([1.0, 1.0, 0.0, 0.0])
    for method in ("plain", "pgd-at", "fgsm-at", "free-at", "fast-at:guard=off", "noise"):
        found = []
        for junk in (0.0, 1.0):
            model = make_model().eval()  # so that images do not meet in batch norms
            batch = make_batch()
            x = batch.x.clone()
            x[2:4] = junk
            torch.manual_seed(1)
            Objective(model, quick(method), weights=weights)(batch.replace(x=x)).loss.backward()
            found.append(model.head.weight.grad)
        assert torch.allclose(found[0], found[1], atol=1e-6), method


@pytest.mark.parametrize("method", ["mart", "large-margin", "mixup+mart"])
def test_methods_with_a_loss_of_their_own_are_refused_in_one_line(method: str) -> None:
    with pytest.raises(UsageError, match=r"do not reach the loss that .* adds of its own"):
        tiny(method=method, class_weights="balanced")
    with pytest.raises(UsageError, match="do not reach"):
        Objective(make_model(), quick(method), weights=torch.ones(CLASSES))


def test_equal_weights_change_nothing() -> None:
    for method in ("label-smoothing", "mixup", "trades", "avm", "advprop", "vib:size=4", "iat"):
        losses = []
        for weights in (None, torch.full((CLASSES,), 3.0)):
            model, spec = make_model(), quick(method)
            objective = Objective(model, spec, weights=weights)
            torch.manual_seed(1)
            losses.append(objective(make_batch()).loss.item())
        assert losses[0] == pytest.approx(losses[1], rel=1e-4), method


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class_weights": "even"}, "--class-weights even: .*or type balanced"),
        ({"class_weights": "1,-2"}, "expected numbers from 0 on"),
        ({"class_weights": "0,0"}, "not all of them 0"),
        ({"class_weights": "1,2", "loss": "bce"}, "are for --loss ce, not for bce"),
    ],
)
def test_slips_are_answered_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tiny(**settings)


def test_numbers_are_one_for_each_class_that_is_there() -> None:
    with pytest.raises(UsageError, match="has 2 numbers for 3 classes: a, b, c"):
        class_weights("1,2", LABELS, ABC)
    with pytest.raises(UsageError, match="no training image of c"):
        class_weights("balanced", LABELS[:9], ABC)


def uneven() -> Data:
    """Nine images of ten are of the first class."""
    given = open_data(Spirals(samples=400), Path())
    few = (given.train.labels == 1).nonzero()[:, 0][:15]
    many = (given.train.labels == 0).nonzero()[:, 0]
    return replace(given, train=given.train[torch.cat([many, few])])


def test_balanced_weights_help_the_rare_class_and_balanced_accuracy_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = {}
    for weights in (None, "balanced"):
        config = tiny(epochs=15, lr=0.02, class_weights=weights, data="spirals:samples=400")
        found[weights] = Trainer(config, uneven(), tmp_path / str(weights)).run().record
    balanced = {k: v["validation_balanced"] for k, v in found.items()}
    assert balanced["balanced"] > balanced[None] + 0.05
    assert "balanced accuracy" in caplog.text and "12." in caplog.text


def test_a_notebook_may_give_numbers(tmp_path: Path) -> None:
    settings = {**TINY, "class_weights": [0.5, 2], "epochs": 0}
    run = train(runs_dir=tmp_path, **settings)  # type: ignore[arg-type]
    assert run.config["class_weights"] == "0.5,2"
    assert "class-weights=0.5-2" in run.path.name
