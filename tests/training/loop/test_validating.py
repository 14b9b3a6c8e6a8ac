"""Accuracy, balanced accuracy and loss of held-out images, all of one look."""

from __future__ import annotations

from math import isnan

import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from small import make_model
from torch import Tensor

from robustbench_cli.data.dataset import Images
from robustbench_cli.models.model import make
from robustbench_cli.models.own import open_architecture
from robustbench_cli.training.loop import validating
from robustbench_cli.training.loop.validating import validate


def test_accuracy_and_loss_are_of_eval_mode_and_restore_the_mode() -> None:
    model = make(open_architecture("mlp:width=4"), (1, 1, 2), 2).train()
    images = Images(torch.rand(50, 1, 1, 2), torch.zeros(50, dtype=torch.long))
    probabilities = model(images.x).softmax(1)[:, 0].detach()
    right = (probabilities > 0.5).float().mean().item()
    found = validate(model, images, batch_size=7)
    expected = (right, -probabilities.log().mean().item())
    assert (found.accuracy, found.loss) == pytest.approx(expected, rel=1e-5)
    assert model.training
    nothing = validate(model, images[:0])
    assert isnan(nothing.accuracy) and isnan(nothing.balanced) and isnan(nothing.loss)


def test_balanced_accuracy_is_that_of_scikit_learn() -> None:
    images = Images((torch.rand(60, 3, 8, 8) * 255).to(torch.uint8), torch.arange(60) ** 2 % 7 % 4)
    model = make_model().eval()
    with torch.no_grad():
        answers = model(images.x).argmax(1)
    expected = balanced_accuracy_score(images.labels, answers)
    assert validate(model, images, batch_size=7).balanced == pytest.approx(expected)


def test_fewer_large_images_are_shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, shown = make(open_architecture("mlp:width=4"), (1, 4, 4), 2), list[int]()

    def see(_: object, given: tuple[Tensor, ...]) -> None:
        shown.append(len(given[0]))

    model.register_forward_pre_hook(see)
    monkeypatch.setattr(validating, "_AT_ONCE", 50)
    validate(model, Images(torch.rand(7, 1, 4, 4), torch.zeros(7, dtype=torch.long)))
    assert shown == [3, 3, 1]
