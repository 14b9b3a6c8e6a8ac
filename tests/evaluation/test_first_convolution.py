"""A quicker gradient is the same gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustbench_cli.evaluation import first_convolution
from robustbench_cli.evaluation.first_convolution import QuickConv2d, quicken_first_convolutions


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "setting",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 5, "bias": False},
        {"kernel_size": 4, "stride": 2, "padding": 1},
        {"kernel_size": (3, 2), "stride": (2, 3), "padding": (0, 1)},
        {"kernel_size": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("room", [1, 2**21])
def test_values_and_gradients_are_those_of_the_convolution(
    channels: int, setting: dict[str, object], room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_convolution, "ROOM", room)
    torch.manual_seed(0)
    plain = nn.Conv2d(channels, 6, **setting).double()  # type: ignore[arg-type]
    x = torch.randn(5, channels, 11, 14, dtype=torch.float64)
    for given in (x, x.contiguous(memory_format=torch.channels_last)):
        here, there = given.clone().requires_grad_(), given.clone().requires_grad_()
        out, expected = QuickConv2d(plain)(here), plain(there)
        assert torch.equal(out, expected)
        upstream = torch.randn_like(out)
        out.backward(upstream)
        expected.backward(upstream)
        torch.testing.assert_close(here.grad, there.grad)


def test_only_those_over_few_channels_are_replaced() -> None:
    kept = [
        nn.Conv2d(8, 4, 3),
        nn.Conv2d(2, 4, 3, groups=2),
        nn.Conv2d(1, 4, 3, dilation=2),
        nn.Conv2d(1, 4, 3, padding="same"),
        nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv1d(1, 4, 3),
    ]
    network = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), *kept)
    quicken_first_convolutions(network)
    assert isinstance(network[0][0], QuickConv2d)
    assert list(network[1:]) == kept
    quicken_first_convolutions(network)  # not inside itself
    assert isinstance(network[0][0].convolution, nn.Conv2d)
