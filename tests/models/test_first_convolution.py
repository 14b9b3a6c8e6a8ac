"""A quicker gradient is the same gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustbench_cli.models import first_convolution
from robustbench_cli.models.first_convolution import (
    QuickConv2d,
    quick_first_convolutions,
    quicken_first_convolutions,
)

SETTINGS = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 5, "bias": False},
    {"kernel_size": 4, "stride": 2, "padding": 1},
    {"kernel_size": (3, 2), "stride": (2, 3), "padding": (0, 1)},
    {"kernel_size": 1},
]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("room", [1, 2**21])
@pytest.mark.parametrize("frozen", [True, False])
def test_values_and_gradients_are_those_of_the_convolution(
    channels: int,
    setting: dict[str, object],
    room: int,
    frozen: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(first_convolution, "ROOM", room)
    torch.manual_seed(0)
    plain = nn.Conv2d(channels, 6, **setting).double()  # type: ignore[arg-type]
    plain.requires_grad_(not frozen)
    x = torch.randn(5, channels, 11, 14, dtype=torch.float64)
    for given in (x, x.contiguous(memory_format=torch.channels_last)):
        wanted = [given.clone().requires_grad_(), *(p for p in plain.parameters() if not frozen)]
        expected = plain(wanted[0])
        upstream = torch.randn_like(expected)
        theirs = torch.autograd.grad(expected, wanted, upstream)
        with quick_first_convolutions(plain):
            assert type(plain) is QuickConv2d
            out = plain(wanted[0])
            assert torch.equal(out, expected)
            ours = torch.autograd.grad(out, wanted, upstream)
        torch.testing.assert_close(ours, theirs)


def test_gradients_can_be_differentiated_again() -> None:
    torch.manual_seed(0)
    quick = QuickConv2d(2, 3, 3, stride=2, padding=1).double()
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(quick, x)


def test_only_those_over_few_channels_are_quickened() -> None:
    kept = [
        nn.Conv2d(8, 4, 3),
        nn.Conv2d(2, 4, 3, groups=2),
        nn.Conv2d(1, 4, 3, dilation=2),
        nn.Conv2d(1, 4, 3, padding="same"),
        nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv1d(1, 4, 3),
    ]
    network = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), *kept)
    assert quicken_first_convolutions(network) == [network[0][0]]
    assert type(network[0][0]) is QuickConv2d
    assert not any(isinstance(module, QuickConv2d) for module in network[1:])
    names = [*network.state_dict()]
    with quick_first_convolutions(network):
        assert [*network.state_dict()] == names
