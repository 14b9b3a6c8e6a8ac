"""Several networks as one, held against means worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustbench_cli.models.ensemble import Ensemble, Mean


class Linear(nn.Module):
    """logits = W x, so that every gradient is known."""

    def __init__(self, rows: list[list[float]]) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.tensor(rows))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) @ self.rows.T


A, B = Linear([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]]), Linear([[3.0, 1.0], [0.0, -1.0], [0.0, 1.0]])
X = torch.tensor([[[[0.5, 0.25]]], [[[1.0, 0.0]]]])


def test_the_mean_of_logits_and_its_gradient() -> None:
    x = X.clone().requires_grad_()
    out = Ensemble([A, B])(x)
    assert torch.equal(out, torch.tensor([[1.125, 0.0, 0.875], [2.0, 0.0, 1.0]]))
    (gradient,) = torch.autograd.grad(out[0, 0], x)
    assert gradient[0].flatten().tolist() == [2.0, 0.5]  # mean of (1, 0) and (3, 1)


def test_the_mean_of_probabilities_and_its_gradient() -> None:
    x = X.clone().double().requires_grad_()
    nets = [Linear(net.rows.tolist()).double() for net in (A, B)]
    found = Ensemble(nets, "probabilities")(x).softmax(1)
    expected = sum(net(x).exp() / net(x).exp().sum(1, keepdim=True) for net in nets) / 2
    assert torch.allclose(found, expected, atol=1e-12, rtol=0)
    slopes = [torch.autograd.grad(p[:, 2].sum(), x, retain_graph=True) for p in (found, expected)]
    assert torch.allclose(slopes[0][0], slopes[1][0], atol=1e-12, rtol=0)
    assert not torch.allclose(found, Ensemble(nets)(x).softmax(1), atol=1e-3, rtol=0)


@pytest.mark.parametrize("mean", ["logits", "probabilities"])
def test_an_ensemble_of_one_is_the_network_itself(mean: Mean) -> None:
    alone, whole = A(X), Ensemble([A], mean)(X)
    assert torch.allclose(whole.softmax(1), alone.softmax(1), atol=1e-7, rtol=0)
    assert mean != "logits" or torch.equal(whole, alone)


def test_probabilities_that_vanish_leave_finite_logits() -> None:
    sure = Linear([[1e3, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert Ensemble([sure, sure], "probabilities")(X).isfinite().all()
