"""Layers that stay: their weights and their batch norms' statistics; all others move."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small import make_batch, make_model, quick

from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.training.loop.freezing import Frozen
from robustbench_cli.training.objective import Objective


def moved_by_training(names: str, method: str = "plain") -> tuple[set[str], Model]:
    """What three steps change, of the parameters and statistics that the network had before."""
    model = make_model()
    frozen = Frozen.choose(model, names)
    objective = Objective(model, quick(method))
    frozen.settle(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(trained, 0.1, weight_decay=0.1)
    model.train()
    frozen.hold()
    for _ in range(3):
        optimizer.zero_grad()
        objective(make_batch()).loss.backward()
        optimizer.step()
    now = model.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, now[name])}, model


@pytest.mark.parametrize(
    ("names", "stay"),
    [
        ("one", ("network.one.",)),
        ("one, two", ("network.one.", "network.two.")),
        ("one.0", ("network.one.0.",)),
        ("*.0.weight", ("network.one.0.", "network.two.0.", "network.three.0.")),
        ("o*", ("network.one.",)),
        ("head.bias", ("network.head.bias",)),
    ],
)
@pytest.mark.parametrize("method", ["plain", "pgd-at", "free-at", "fgsm-at"])
def test_what_is_named_stays_and_everything_else_moves(
    names: str, stay: tuple[str, ...], method: str
) -> None:
    moved, model = moved_by_training(names, method)
    kept = {name for name in model.state_dict() if name.startswith("network.")} - moved
    assert kept == {name for name in kept if name.startswith(stay)} != set()
    assert not {name for name in moved if name.startswith(stay)}


def test_auxiliary_norms_of_a_method_still_learn() -> None:
    moved, _ = moved_by_training("one", "advprop")
    assert {"network.one.1.aux.weight", "network.one.1.aux.running_mean"} <= moved
    assert not {name for name in moved if name.startswith(("network.one.0", "network.one.1.main"))}


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ("nine", {}, r"--freeze nine: no such layer; there are: one.0, one.1, .*, head$"),
        ("on", {}, "no such layer"),
        ("*", {}, "leaves nothing to train"),
        ("head", {"new": ("head.weight",)}, "head.weight is new here, so it must be trained"),
    ],
)
def test_names_that_make_no_sense_are_answered_in_one_line(
    names: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        Frozen.choose(make_model(), names, **options)


def test_a_layer_that_a_method_replaces_cannot_stay() -> None:
    with pytest.raises(UsageError, match=r"in the place of head\.weight, which must be trained"):
        moved_by_training("head", "vib:size=4")
