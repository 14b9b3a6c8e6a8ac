"""The pretended device refuses and counts what a GPU would, and computes what the CPU does."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from pretend_device import DEVICE, WAITS, DeviceFault, pretend_device
from torch import Tensor, nn


@pytest.mark.parametrize(
    "mix",
    [
        lambda x, y: x + y,
        lambda x, y: torch.cat([x, y]),
        lambda x, y: torch.where(x > 0, x, y),
        lambda x, y: y[x.long()],
        lambda x, y: x.index_put_((torch.tensor([0]),), y[:1]),
        lambda x, y: nn.Linear(4, 2)(x),
        lambda x, y: nn.Linear(4, 2).to(DEVICE)(y),
    ],
)
def test_tensors_of_two_devices_do_not_mix(mix: Callable[[Tensor, Tensor], Tensor]) -> None:
    with pretend_device(), pytest.raises(DeviceFault):
        mix(torch.rand(4, device=DEVICE), torch.rand(4))


def test_numbers_and_tensors_of_no_dimension_are_welcome() -> None:
    with pretend_device():
        x = torch.ones(4, device=DEVICE)
        assert (x * 2 + torch.tensor(1.0)).tolist() == [3, 3, 3, 3]
        with pytest.raises(TypeError, match="numpy"):
            x.numpy()


@pytest.mark.parametrize(
    ("kind", "use"),
    [
        ("scalar", lambda x: float(x.sum())),
        ("scalar", lambda x: bool((x > 0).all())),
        ("scalar", lambda x: torch.equal(x, x)),
        ("download", lambda x: x.tolist()),
        ("download", lambda x: x.cpu()),
        ("upload", lambda x: torch.tensor([1.0, 2.0], device=DEVICE)),
        ("upload", lambda x: torch.rand(3).to(DEVICE)),
        ("upload", lambda x: x[[0, 1]]),
        ("upload", lambda x: x[torch.tensor([0, 1])]),
        ("count", lambda x: x[x > 0]),
        ("count", lambda x: x.nonzero()),
        (None, lambda x: torch.rand(3).to(DEVICE, non_blocking=True)),
        (None, lambda x: x[1:3] + x[0]),
        (None, lambda x: torch.zeros(3, device=DEVICE)),
    ],
)
def test_what_a_host_waits_for_is_counted(
    kind: str | None, use: Callable[[Tensor], object]
) -> None:
    with pretend_device() as waits:
        x = torch.ones(4, device=DEVICE)
        use(x)
    assert {k: n for k, n in waits.items() if n} == ({kind: 1} if kind else {})
    assert kind is None or kind in WAITS


def test_values_given_from_python_arrive() -> None:
    with pretend_device():
        x = torch.arange(6, device=DEVICE).reshape(2, 3)
        assert x[[1]].tolist() == [[3, 4, 5]]
        assert x[range(2), torch.tensor([0, 2], device=DEVICE)].tolist() == [0, 5]
        x[0, [0, 1]] = torch.tensor([7, 8], device=DEVICE)
        assert x[0].tolist() == [7, 8, 2]
        assert torch.as_tensor(3.5, device=DEVICE).item() == 3.5


def test_training_there_is_training_here() -> None:
    torch.manual_seed(0)
    here = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
    with pretend_device():
        there = copy.deepcopy(here).to(DEVICE)
        for network, device in ((here, "cpu"), (there, DEVICE)):
            torch.manual_seed(1)
            optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
            for _ in range(2):
                x = torch.rand(5, 1, 4, 4, device=device)
                optimizer.zero_grad()
                network(x).square().sum().backward()
                optimizer.step()
        state = copy.deepcopy(there).to("cpu").state_dict()
    for name, value in here.state_dict().items():
        assert torch.equal(value, state[name]), name
