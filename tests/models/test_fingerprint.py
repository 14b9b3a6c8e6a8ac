"""What changes the digits of a network, and what does not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.models.fingerprint import fingerprint

FACTOR = 2.0


def helper(x: Tensor) -> Tensor:
    return FACTOR * x


class Net(nn.Module):
    constant = 1.0

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.layer = nn.Linear(4, width)
        self.norm = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(0.5)
        self.temperature, self.act = 1.0, torch.relu
        self.register_buffer("shift", torch.zeros(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.constant * helper(self.act(self.layer(x))) / self.temperature


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def test_the_same_network_has_the_same_digits_wherever_it_lies() -> None:
    digits = fingerprint(net())
    assert len(digits) == 16
    assert fingerprint(net()) == fingerprint(copy.deepcopy(net())) == digits
    assert fingerprint(net().eval().requires_grad_(False)) == digits
    used = net().eval()
    used(torch.zeros(2, 4)).sum().backward()
    assert fingerprint(used) == digits


def weights(network: Net) -> None:
    network.layer.weight.data[0, 0] += 1e-6


def statistics(network: Net) -> None:
    network.norm.running_mean += 1  # type: ignore[operator]


def rate(network: Net) -> None:
    network.drop.p = 0.4


def attribute(network: Net) -> None:
    network.temperature = 2.0


def function(network: Net) -> None:
    network.act = torch.tanh


def closure(network: Net) -> None:
    network.act = partial(torch.clamp, min=0.1)


def hidden_buffer(network: Net) -> None:
    network.shift += 1  # type: ignore[operator]


def hook(network: Net) -> None:
    network.layer.register_forward_hook(lambda module, x, y: 2 * y)


def layer(network: Net) -> None:
    network.drop = nn.Identity()  # type: ignore[assignment]


@pytest.mark.parametrize(
    "change",
    [weights, statistics, rate, attribute, function, closure, hidden_buffer, hook, layer],
)
def test_what_it_computes_changes_its_digits(change: Callable[[Net], None]) -> None:
    changed = net()
    change(changed)
    assert fingerprint(changed) != fingerprint(net())


def test_code_counts_and_what_it_refers_to(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(net())
    monkeypatch.setattr(Net, "constant", 3.0)
    assert fingerprint(net()) != before
    monkeypatch.undo()
    monkeypatch.setitem(globals(), "FACTOR", 5.0)  # of the helper that forward calls
    assert fingerprint(net()) != before
    monkeypatch.undo()
    monkeypatch.setattr(Net, "forward", lambda self, x: self.layer(x))
    assert fingerprint(net()) != before
    monkeypatch.undo()
    assert fingerprint(net()) == before
