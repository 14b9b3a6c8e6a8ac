"""A quicker pool gives the same, to the last bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustbench_cli.evaluation.throughput.pooling import QuickMaxPool, quick_pools, quicken_pools


@pytest.mark.parametrize("shape", [(3, 6, 30, 30), (2, 5, 7, 8), (1, 1, 9, 9), (4, 13, 13)])
@pytest.mark.parametrize("last", [False, True])
def test_values_are_the_same(shape: tuple[int, ...], last: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape)
    x[..., 3, 3] = torch.nan
    if last and x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    found, expected = QuickMaxPool(2)(x), nn.MaxPool2d(2)(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("shape", [(3, 6, 30, 30), (2, 5, 7, 8), (4, 13, 13)])
@pytest.mark.parametrize("last", [False, True])
def test_gradients_are_those_of_the_pool(shape: tuple[int, ...], last: bool) -> None:
    """Among equal pixels, too, and whatever the layout of the gradient that comes back."""
    x = torch.randint(4, shape).float()
    if last and x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    upstream = torch.randn_like(nn.MaxPool2d(2)(x)).contiguous()
    gradients = []
    for pool in (QuickMaxPool(2), nn.MaxPool2d(2)):
        image = x.clone().requires_grad_()
        gradients += torch.autograd.grad(pool(image), image, upstream)
    assert torch.equal(*gradients)
    assert gradients[0].is_contiguous(memory_format=torch.channels_last) or x.is_contiguous()


def test_only_pools_of_its_kind_are_quickened() -> None:
    class Own(nn.MaxPool2d):
        pass

    other = [nn.MaxPool2d(3), nn.MaxPool2d(2, 1), nn.MaxPool2d(2, padding=1), nn.AvgPool2d(2)]
    other += [nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(2, return_indices=True), Own(2)]
    kinds = [type(module) for module in other]
    network = nn.Sequential(nn.Sequential(nn.MaxPool2d(2), nn.ReLU()), *other)
    assert quicken_pools(network) == [network[0][0]]
    assert type(network[0][0]) is QuickMaxPool
    assert [type(module) for module in network[1:]] == kinds


def test_afterwards_they_are_what_they_were() -> None:
    network = nn.Sequential(nn.MaxPool2d(2))
    pool, heard = network[0], []
    pool.register_forward_hook(lambda *_: heard.append(1))
    with pytest.raises(KeyError), quick_pools(network):
        assert type(network[0]) is QuickMaxPool
        network(torch.rand(1, 1, 4, 4))
        raise KeyError
    assert network[0] is pool and type(pool) is nn.MaxPool2d and heard == [1]
