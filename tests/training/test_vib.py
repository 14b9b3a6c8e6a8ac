"""The variational bottleneck, its loss and its gradient, against torch.distributions by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from small import make_batch, make_model, quick
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from robustbench_cli.models.model import Model
from robustbench_cli.training.batch import Batch
from robustbench_cli.training.bottlenecks.bottleneck import Bottleneck
from robustbench_cli.training.objective import Objective


def installed(text: str) -> tuple[Objective, Model, Bottleneck, list[Tensor]]:
    """With the list in which the features appear that reach the bottleneck."""
    model = make_model()
    objective, seen = Objective(model, quick(text)), []
    head = model.head
    assert isinstance(head, Bottleneck)
    head.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    return objective, model, head, seen


def parts(head: Bottleneck, features: Tensor) -> tuple[Tensor, Tensor]:
    """μ and σ = softplus(ρ - 5), from the two halves of the layer's outputs."""
    out, size = features @ head.encode.weight.T + head.encode.bias, head.decode.in_features
    return out[:, :size], F.softplus(out[:, size:] - 5)


@pytest.mark.parametrize("beta", [0.0, 1e-3, 0.5])
def test_the_loss_is_cross_entropy_of_a_random_code_and_its_divergence(beta: float) -> None:
    objective, model, head, seen = installed(f"vib:size=6,beta={beta}")
    batch: Batch = make_batch()
    torch.manual_seed(3)
    found = objective(batch).loss
    torch.manual_seed(3)
    mean, std = parts(head, seen[0])
    code = mean + std * torch.randn_like(std)
    logits = code @ head.decode.weight.T + head.decode.bias
    charge = kl_divergence(Normal(mean, std), Normal(0.0, 1.0)).sum(1).mean()
    expected = F.cross_entropy(logits, batch.y.argmax(1)) + beta * charge
    torch.testing.assert_close(found, expected)
    weights = list(model.parameters())
    ours = torch.autograd.grad(found, weights, retain_graph=True)
    torch.testing.assert_close(ours, torch.autograd.grad(expected, weights))


def test_what_ships_answers_with_the_mean_of_the_code() -> None:
    _, model, head, seen = installed("vib:size=6")
    x = make_batch().x
    first, second = model.eval()(x), model(x)
    assert torch.equal(first, second)
    mean, _ = parts(head, seen[0])
    torch.testing.assert_close(first, mean @ head.decode.weight.T + head.decode.bias)


def test_codes_scatter_by_sigma_around_the_mean() -> None:
    torch.manual_seed(0)
    layer = Bottleneck(torch.nn.Linear(4, 3), 5, beta=1.0)
    layer.encode.bias.data[5:] = 5.0  # σ near softplus(0)
    layer.decode = torch.nn.Identity()  # type: ignore[assignment]
    h = torch.rand(1, 4)
    with torch.no_grad():
        out = layer.encode(h)
        codes = layer(h.expand(20_000, 4))
    torch.testing.assert_close(codes.mean(0), out[0, :5], atol=0.03, rtol=0)
    torch.testing.assert_close(codes.std(0), F.softplus(out[0, 5:] - 5), atol=0, rtol=0.03)
