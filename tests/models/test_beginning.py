"""Weights to begin with: all of them, all but the head, or one line that says why not."""

from __future__ import annotations

import pytest
import torch

from robustbench_cli.errors import RunError
from robustbench_cli.models.beginning import begin
from robustbench_cli.models.model import Model, make
from robustbench_cli.models.own import open_architecture

SHAPE = (1, 28, 28)


def network(spec: str = "lenet5", classes: int = 10, mean: float = 0.0) -> Model:
    return make(open_architecture(spec), SHAPE, classes, [mean], [0.25])


def test_a_model_of_the_same_kind_becomes_the_other_one() -> None:
    theirs, ours = network(mean=0.4), network()
    begun = begin(ours, theirs.state_dict())
    x = torch.rand(3, *SHAPE)
    assert begun.new == ()
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


@pytest.mark.parametrize("bare", [True, False])
def test_a_head_for_other_classes_stays_new_and_the_rest_is_taken(bare: bool) -> None:
    theirs, ours = network(classes=7), network(classes=10)
    drawn = {name: value.clone() for name, value in ours.network.state_dict().items()}
    begun = begin(ours, theirs.network.state_dict() if bare else theirs.state_dict())
    assert begun.new == ("fc3.weight", "fc3.bias")
    assert begun.how.endswith("a new head for 10 classes (fc3.weight, fc3.bias)")
    for name, value in ours.network.state_dict().items():
        expected = drawn if name in begun.new else theirs.network.state_dict()
        assert torch.equal(value, expected[name]), name


def test_what_does_not_fit_is_named_and_nothing_is_changed() -> None:
    ours = network()
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    state = dict(network(classes=7).network.state_dict())
    state["extra.weight"] = state.pop("conv2.weight")
    state["conv1.bias"] = torch.zeros(3)
    with pytest.raises(RunError) as e:
        begin(ours, state)
    assert str(e.value) == (
        "does not fit lenet5: missing: conv2.weight; unexpected: extra.weight; "
        "of another shape: conv1.bias (3, here 6)"
    )
    assert all(torch.equal(value, before[name]) for name, value in ours.state_dict().items())


def test_many_names_are_counted() -> None:
    with pytest.raises(RunError, match=r"missing: .*, 3 more; unexpected: .*, 32 more"):
        begin(network(), network("cifar-resnet:depth=8").state_dict())
