"""The margin's loss: exact distances of a linear network, and gradients by finite differences."""

from __future__ import annotations

import itertools

import pytest
import torch
from small import CLASSES, make_batch, make_model
from torch import Tensor, nn

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.models.model import Model
from robustbench_cli.spec import build
from robustbench_cli.training.batch import Batch
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.large_margin import FLOOR, LargeMargin
from robustbench_cli.training.objective import Objective, cross_entropy

DUAL = {"linf": 1, "l2": 2, "l1": torch.inf}


def linear() -> Model:
    torch.manual_seed(0)
    return Model(nn.Sequential(nn.Flatten(), nn.Linear(6, CLASSES)), (), "1", [0.0], [1.0])


class Smooth(nn.Module):
    """Two stages behind the image, twice differentiable, without batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.Linear(6, 5), nn.Linear(5, 5), nn.Linear(5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.three(self.two(self.one(x.flatten(1)).tanh()).tanh())


def smooth() -> Model:
    torch.manual_seed(2)
    return Model(Smooth(), ("two", "three"), "three", [0.5], [0.25]).double()


def batch(n: int = 7) -> Batch:
    return Batch.of(torch.rand(n, 1, 2, 3), torch.arange(n) % CLASSES, CLASSES)


def double(n: int = 7) -> Batch:
    return Batch.of(torch.rand(n, 1, 2, 3).double(), torch.arange(n) % CLASSES, CLASSES)


def margin(method: LargeMargin, model: Model, given: Batch) -> Tensor:
    """The margin's part of the loss."""
    outcome = Objective(model, [method])(given)
    return (outcome.loss - method.ce * cross_entropy(outcome.logits, given.y)) / method.weight


# --- values ---


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("over", ["max", "sum"])
@pytest.mark.parametrize("rivals", [0, 1, 2])
def test_distances_of_a_linear_network_are_exact(norm: str, over: str, rivals: int) -> None:
    model, given, gamma = linear(), batch(), 0.4
    method = LargeMargin(norm=norm, gamma=gamma, over=over, rivals=rivals)  # type: ignore[arg-type]
    layer, total = model.head, 0.0
    for x, y in zip(given.x.flatten(1), given.y.argmax(1).tolist(), strict=True):
        scores = layer(x)
        others = sorted((i for i in range(CLASSES) if i != y), key=lambda i: -scores[i])
        misses = []
        for i in others[: rivals or CLASSES]:
            normal = layer.weight[y] - layer.weight[i]  # type: ignore[index]
            distance = (scores[y] - scores[i]) / normal.norm(p=DUAL[norm])
            misses.append(max(0.0, gamma - distance.item()))
        total += max(misses) if over == "max" else sum(misses)
    assert total > 0
    assert margin(method, model, given).item() == pytest.approx(total / len(given), rel=1e-4)


def slopes(model: Model, x: Tensor, y: int, i: int, scores: str) -> list[Tensor]:
    """For one image: the gradient of its lead over class i at the image and at both stages."""
    net, x = model.network, x.clone().requires_grad_()
    first = net.one(((x - 0.5) / 0.25).flatten()).tanh()  # type: ignore[operator]
    second = net.two(first).tanh()  # type: ignore[operator]
    f = net.three(second)  # type: ignore[operator]
    f = f.softmax(0) if scores == "probabilities" else f
    lead = f[y] - f[i]
    return [lead, *torch.autograd.grad(lead, [x, first, second], retain_graph=True)]


def direct(
    model: Model, given: Batch, method: LargeMargin, frozen: list[list[Tensor]] | None = None
) -> tuple[Tensor, list[list[Tensor]]]:
    """The definition as loops over samples, rivals and layers; and the denominators.

    `frozen` denominators take the place of the ones at these weights.
    """
    total, used = torch.zeros(()), []
    for n, (x, y) in enumerate(zip(given.x, given.y.argmax(1).tolist(), strict=True)):
        scores = model(x[None])[0].detach()
        order = [i for i in scores.argsort(descending=True).tolist() if i != y]
        misses: list[list[Tensor]] = []
        for k, i in enumerate(order[: method.rivals or CLASSES]):
            lead, *found = slopes(model, x, y, i, method.scores)
            lengths = torch.stack([g.flatten().norm(p=DUAL[method.norm]) for g in found])
            if method.per_element:
                lengths = lengths / torch.tensor([g.numel() for g in found])
            used.append([lengths.detach()])
            if frozen is not None:
                lengths = frozen[n * len(order[: method.rivals or CLASSES]) + k][0]
            miss = (method.gamma - lead / (lengths + FLOOR)).clamp(min=0)  # type: ignore[operator]
            if method.cap is not None:
                miss = miss.clamp(max=method.cap * method.gamma)  # type: ignore[operator]
            misses.append(list(miss))
        for layer in zip(*misses, strict=True):
            stacked = torch.stack(layer)
            total = total + (stacked.max() if method.over == "max" else stacked.sum())
    return total / len(given), used


SETTINGS = [
    {},
    {"norm": "l2", "rivals": 0, "over": "sum"},
    {"norm": "l1", "rivals": 2},
    {"scores": "probabilities", "rivals": 2},
    {"scores": "probabilities", "cap": 4.0, "per_element": True, "gamma": 1.0, "rivals": 1},
    {"cap": 0.5, "gamma": 1.0},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_every_reading_equals_its_definition_in_loops(settings: dict[str, object]) -> None:
    method = LargeMargin(**{"gamma": 0.5, **settings})  # type: ignore[arg-type]
    model, given = smooth(), double()
    expected, _ = direct(model, given, method)
    assert expected > 0
    # logits are taken to float32
    torch.testing.assert_close(margin(method, model, given).double(), expected, rtol=1e-5, atol=0)


# --- gradients ---


@pytest.mark.parametrize("first_order", [True, False])
@pytest.mark.parametrize("settings", SETTINGS[:4], ids=str)
def test_gradients_agree_with_finite_differences(
    settings: dict[str, object], first_order: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tensor, "float", lambda tensor: tensor)  # double precision throughout
    method = LargeMargin(**{"gamma": 5.0, "first_order": first_order, **settings})  # type: ignore[arg-type]
    model, given = smooth(), double()
    parameters = list(model.parameters())
    ours = torch.autograd.grad(margin(method, model, given), parameters, allow_unused=True)

    frozen = direct(model, given, method)[1] if first_order else None
    step = 1e-6
    for parameter, gradient in zip(parameters, ours, strict=True):
        flat = parameter.data.view(-1)
        for i in range(0, len(flat), 7):
            kept, values = flat[i].item(), []
            for sign in (1, -1):
                flat[i] = kept + sign * step
                values.append(direct(model, given, method, frozen)[0].item())
            flat[i] = kept
            slope = (values[0] - values[1]) / (2 * step)
            found = 0.0 if gradient is None else gradient.view(-1)[i].item()
            assert found == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_the_two_forms_have_one_value_and_two_gradients() -> None:
    model, given, found = smooth(), double(), []
    for first_order in (True, False):
        loss = margin(LargeMargin(gamma=5.0, first_order=first_order), model, given)
        found.append((loss, torch.autograd.grad(loss, [*model.parameters()], allow_unused=True)))
    torch.testing.assert_close(found[0][0], found[1][0])
    assert not torch.allclose(found[0][1][0], found[1][1][0])


# --- what it does to training ---


def test_a_sample_beyond_the_margin_adds_nothing() -> None:
    model, given = linear(), batch()
    predicted = Batch.of(given.x, model(given.x).argmax(1), CLASSES)
    assert margin(LargeMargin(gamma=1e-4, ce=0.0), model, predicted) == 0


def test_weights_of_the_parts() -> None:
    model, given = smooth(), double()
    whole = Objective(model, [LargeMargin(gamma=0.5, weight=3.0, ce=0.25)])(given)
    alone = margin(LargeMargin(gamma=0.5), model, given)
    expected = 3 * alone + 0.25 * cross_entropy(whole.logits, given.y)
    torch.testing.assert_close(whole.loss, expected)


def test_layers_are_the_image_and_the_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[list[torch.Size]] = []

    def record(self: LargeMargin, logits: Tensor, y: Tensor, hidden: list[Tensor]) -> Tensor:
        shapes.append([h.shape for h in hidden])
        return logits.sum()

    monkeypatch.setattr(LargeMargin, "loss", record)
    for layers in ("all", "input"):
        method = LargeMargin(layers=layers)  # type: ignore[arg-type]
        Objective(make_model(), [method])(make_batch())
    assert shapes == [[(8, 3, 8, 8), (8, 4, 4, 4), (8, 4, 2, 2)], [(8, 3, 8, 8)]]


def test_rivals_through_batch_norm_and_pooling_in_one_batched_call() -> None:
    given = make_batch()
    for rivals, first_order in itertools.product((1, 3, 0), (True, False)):
        model = make_model()
        method = LargeMargin(gamma=1.0, rivals=rivals, first_order=first_order, over="sum")
        Objective(model, [method])(given).loss.backward()
        gradients = [p.grad for p in model.parameters()]
        assert all(g is not None and g.isfinite().all() for g in gradients)


def test_a_soft_label_stands_for_its_likeliest_class() -> None:
    model, given = linear(), batch()
    method = LargeMargin(gamma=0.5, ce=0.0)
    soft = given.replace(y=0.8 * given.y + 0.2 / CLASSES)
    torch.testing.assert_close(margin(method, model, soft), margin(method, model, given))


@pytest.mark.parametrize(("text", "gamma"), [("", 0.3), (":norm=l2", 2.0), (":norm=l1", 10.0)])
def test_the_margin_left_open_is_the_usual_radius(text: str, gamma: float) -> None:
    method = build(Method, f"large-margin{text}")
    method.adapt(build(Dataset, "mnist"))
    assert method.gamma == gamma  # type: ignore[attr-defined]
