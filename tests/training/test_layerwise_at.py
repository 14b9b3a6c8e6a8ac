"""Layer-wise adversarial training against steps computed by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from small import make_batch, make_model, quick
from torch import Tensor, nn

from robustbench_cli.models.model import Model
from robustbench_cli.training.batch import Batch
from robustbench_cli.training.methods.layerwise_at import LayerwiseTraining
from robustbench_cli.training.objective import Objective, cross_entropy

EPS = 0.05


class TwoLayers(nn.Module):
    """Two pixels, three hidden units, two classes; the second layer is a stage, the third the head.

    Without batch norm, so that hand computations need no statistics.
    """

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.two(self.one(x.flatten(1)).relu()).relu())


def network() -> Model:
    torch.manual_seed(3)
    return Model(TwoLayers(), ("two",), "head", [0.5], [0.25])


def batch(n: int = 5) -> Batch:
    return Batch.of(torch.rand(n, 1, 1, 2), torch.arange(n) % 2, 2)


def by_hand(
    model: Model, x: Tensor, shifts: list[Tensor], scale: str = "constant"
) -> tuple[Tensor, list[Tensor]]:
    """The logits, and the activations that the image, `two` and `head` receive once shifted."""
    net = model.network

    def size(h: Tensor) -> Tensor:
        return h.abs().mean() if scale == "activation" else torch.tensor(1.0)

    image = (x + shifts[0]).clamp(0, 1)
    first = net.one(((image - 0.5) / 0.25).flatten(1)).relu()  # type: ignore[operator]
    first = first + size(first) * shifts[1]
    second = net.two(first).relu()  # type: ignore[operator]
    second = second + size(second) * shifts[2]
    return net.head(second), [image, first, second]  # type: ignore[operator]


def none(n: int) -> list[Tensor]:
    """No shifts, but something to differentiate by."""
    shapes = [(n, 1, 1, 2), (n, 3), (n, 3)]
    return [torch.zeros(s, requires_grad=True) for s in shapes]


@pytest.mark.parametrize("scale", ["activation", "constant"])
def test_fresh_steps_are_signs_of_the_same_batchs_gradients(scale: str) -> None:
    model, given = network(), batch()
    free = none(5)
    gradients = torch.autograd.grad(cross_entropy(by_hand(model, given.x, free)[0], given.y), free)
    expected, _ = by_hand(model, given.x, [EPS * g.sign() for g in gradients], scale)
    method = LayerwiseTraining(eps=EPS, scale=scale)  # type: ignore[arg-type]
    outcome = Objective(model, [method])(given)
    torch.testing.assert_close(outcome.logits, expected)
    torch.testing.assert_close(outcome.loss, cross_entropy(expected, given.y))
    assert not method.kept


def test_the_first_stale_step_is_plain_and_the_second_is_the_hand_computation() -> None:
    model, first, second = network(), batch(), batch()
    method = LayerwiseTraining(eps=EPS, gradients="stale", scale="constant")
    objective = Objective(model, [method])
    outcome = objective(first)
    torch.testing.assert_close(outcome.logits, model(first.x))
    free = none(5)
    gradients = torch.autograd.grad(cross_entropy(by_hand(model, first.x, free)[0], first.y), free)
    outcome.loss.backward()

    shifts = [EPS * g.sign() for g in gradients]
    expected, received = by_hand(model, second.x, shifts)
    outcome = objective(second)
    torch.testing.assert_close(outcome.logits, expected)
    # what is kept for the third step: the gradients at the shifted activations
    image = received[0].detach().requires_grad_()
    logits, hidden = by_hand(model, image, [torch.zeros(5, 1, 1, 2), *shifts[1:]])
    third = torch.autograd.grad(cross_entropy(logits, second.y), [image, *hidden[1:]])
    outcome.loss.backward()
    for i, gradient in enumerate(third):
        torch.testing.assert_close(method.kept[i], gradient)


def test_a_smaller_batch_takes_the_first_rows_and_leaves_what_is_kept() -> None:
    model = network()
    method = LayerwiseTraining(eps=EPS, gradients="stale", scale="constant")
    objective = Objective(model, [method])
    objective(batch(5)).loss.backward()
    kept = {i: g.clone() for i, g in method.kept.items()}
    small = batch(3)
    outcome = objective(small)
    shifts = [EPS * kept[i][:3].sign() for i in range(3)]
    torch.testing.assert_close(outcome.logits, by_hand(model, small.x, shifts)[0])
    outcome.loss.backward()
    assert all(torch.equal(kept[i], method.kept[i]) for i in kept)
    large = objective(batch(7))  # more than is kept: not shifted, and then kept
    large.loss.backward()
    assert len(method.kept[0]) == 7


def test_only_the_image_is_a_one_step_attack() -> None:
    given, losses = make_batch(), []
    for text in (
        "layerwise-at:layers=input,eps=0.1",
        "pgd-at:eps=0.1,step-size=0.1,random-start=false",
    ):
        methods = quick(text)
        if text.startswith("pgd"):
            methods[0].steps = 1  # type: ignore[attr-defined]
        losses.append(Objective(make_model(), methods)(given).loss)
    assert torch.equal(*losses)


def test_hidden_layers_alone_leave_the_image() -> None:
    seen: list[Tensor] = []
    model, given = network(), batch()
    model.normalise.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    method = LayerwiseTraining(eps=EPS, layers="hidden")
    plain = model(given.x)
    outcome = Objective(model, [method])(given)
    assert torch.equal(seen[-1], given.x)
    assert not torch.equal(outcome.logits, plain)


def test_nothing_is_added_at_test_time_or_inside_an_attack() -> None:
    model, given = network(), batch()
    plain = model(given.x)
    objective = Objective(model, [LayerwiseTraining(eps=EPS, gradients="stale")])
    for _ in range(2):
        objective(given).loss.backward()
    assert torch.equal(model(given.x), plain)
    assert F.cross_entropy(model(given.x), given.y) < objective(given).loss


def test_overflowing_gradients_are_not_kept() -> None:
    method = LayerwiseTraining(gradients="stale")
    method._keep(0, torch.tensor([[torch.nan, 1.0]]))
    assert torch.equal(method.kept[0], torch.tensor([[0.0, 1.0]]))
