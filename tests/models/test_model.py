"""The contract of a model: pixels in, logits out, and joints that methods can take hold of."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Architecture, Model, make
from robustbench_cli.spec import build


def small(**kwargs: list[float]) -> Model:
    return make(build(Architecture, "mlp:width=5"), (1, 2, 2), 3, **kwargs)


def test_normalisation_is_inside() -> None:
    model = small(mean=[0.25], std=[0.5])
    x = torch.rand(4, 1, 2, 2)
    torch.testing.assert_close(model(x), model.network((x - 0.25) / 0.5))


def test_normalisation_travels_with_the_weights() -> None:
    saved = small(mean=[0.25], std=[0.5]).state_dict()
    model = small()
    model.load_state_dict(saved)
    torch.testing.assert_close(model.normalise(torch.tensor([[[[0.75]]]])).flatten(), torch.ones(1))


def test_without_mean_and_std_the_pixels_pass_as_they_are() -> None:
    x = torch.rand(2, 1, 2, 2)
    assert torch.equal(small().normalise(x), x)


def test_stage_0_is_the_image_and_the_others_are_the_networks() -> None:
    model = small()
    assert model.stages == [model.normalise, model.network.fc2, model.network.head]


def test_the_head_can_be_replaced_and_stays_the_head() -> None:
    model = small()
    model.replace_head(lambda old: nn.Sequential(nn.Linear(old.in_features, 2), nn.Linear(2, 3)))
    assert isinstance(model.head, nn.Sequential)
    assert model(torch.rand(4, 1, 2, 2)).shape == (4, 3)


def test_a_head_inside_a_submodule_can_be_replaced() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Sequential(nn.ReLU(), nn.Linear(4, 3)))
    model = Model(network, [], "1.1", [0.0], [1.0])
    model.replace_head(lambda old: nn.Linear(old.in_features, 9))
    assert model(torch.rand(2, 1, 2, 2)).shape == (2, 9)


def test_a_network_without_a_linear_head_says_so() -> None:
    model = Model(nn.Flatten(), [], "", [0.0], [1.0])
    with pytest.raises(UsageError, match="there is none here"):
        model.replace_head(lambda old: old)
