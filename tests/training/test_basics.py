"""Dropout, label smoothing, noise and the Jacobian penalty, each against an independent answer."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small import CLASSES, make_batch, make_model, quick
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Architecture, Model, make
from robustbench_cli.spec import build
from robustbench_cli.training.batch import Batch
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.dropout import DropoutLinear
from robustbench_cli.training.methods.jacobian import half_squared_norm
from robustbench_cli.training.objective import Objective, cross_entropy


class Seen(Method):
    """Keeps the batches that arrive at it."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def step(self, model, batch, rest):  # type: ignore[no-untyped-def]
        self.batches.append(batch)
        return rest(model, batch)


@pytest.mark.parametrize(
    "neutral",
    [
        "dropout:rate=0",
        "label-smoothing:alpha=0",
        "label-smoothing:alpha=0,over=wrong",
        "noise:sigma=0",
        "jacobian:weight=0",
        "cutmix:p=0",
        "cutmix:alpha=0,p=1",
        "puzzlemix:alpha=0",
        "augmix:weight=0",
    ],
)
def test_a_neutral_parameter_is_plain_training(neutral: str) -> None:
    batches = [make_batch() for _ in range(3)]

    def after(text: str) -> list[Tensor]:
        model = make_model()
        objective = Objective(model, quick(text))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for batch in batches:
            optimizer.zero_grad()
            objective(batch).loss.backward()
            optimizer.step()
        return list(model.parameters())

    for ours, plain in zip(after(neutral), after("plain"), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)


class NoWaiting(TorchDispatchMode):
    """Refuses what makes the host wait for a device: values, and shapes that depend on them."""

    WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "is_nonzero")

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        assert name not in self.WAITS, f"{name} waits for the device"
        if name in ("index", "index_put_", "index_put"):
            chosen = [i for i in args[1] if i is not None]
            assert all(i.dtype not in (torch.bool, torch.uint8) for i in chosen), "boolean index"
        return func(*args, **(kwargs or {}))


@contextmanager
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def one_hot(t: Tensor, classes: int) -> Tensor:  # torch's looks at the values, but only on CPUs
        return torch.zeros(*t.shape, classes, dtype=torch.long).scatter_(-1, t[..., None], 1)

    with monkeypatch.context() as patch, NoWaiting():
        patch.setattr(F, "one_hot", one_hot)
        yield


@pytest.mark.parametrize(
    "text",
    [
        "dropout",
        "label-smoothing",
        "noise",
        "jacobian",
        "cutmix:p=1",
        "puzzlemix",
        "puzzlemix:adversarial=1",
        "comixup",
        "augmix",
    ],
)
def test_a_step_never_waits_for_the_device(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objective, batch = Objective(make_model(), quick(text)), make_batch()
    with no_waiting(monkeypatch):
        objective(batch).loss.backward()


@pytest.mark.parametrize("text", ["cutmix:p=1", "puzzlemix", "comixup", "augmix:views=1"])
def test_mixed_precision_is_for_the_network_and_not_for_the_images(text: str) -> None:
    """Image i has the one colour i/7, and as much of class 0: both survive to the last digit."""
    seen, share = Seen(), torch.arange(8) / 7
    batch = Batch(share.view(-1, 1, 1, 1).expand(8, 3, 16, 16), torch.zeros(8, CLASSES))
    batch.y[:, 0], batch.y[:, 1] = share, 1 - share
    objective = Objective(make_model(), [*quick(text), seen])
    outcomes = []
    for precise in (True, False):
        torch.manual_seed(0)
        random.seed(0)
        seen.batches.clear()
        with nullcontext() if precise else torch.autocast("cpu", torch.bfloat16):
            objective(batch)
        outcomes.append(seen.batches[0])
    half = outcomes[1]
    assert half.x.dtype == half.y.dtype == torch.float32
    if text.startswith("augmix"):
        torch.testing.assert_close(half.x, outcomes[0].x)
    else:
        torch.testing.assert_close(half.x.mean((1, 2, 3)), half.y[:, 0])


# --- dropout ---


def network(text: str, shape: tuple[int, int, int] = (1, 28, 28)) -> Model:
    torch.manual_seed(0)
    return make(build(Architecture, text), shape, 10)


def installed(text: str, model: Model) -> Method:
    method = build(Method, text)
    method.install(model)
    return method


@pytest.mark.parametrize(
    ("text", "shape", "dropped"),
    [
        ("lenet5", (1, 28, 28), ["fc1", "fc2", "fc3"]),
        ("preact-resnet18", (3, 32, 32), ["linear"]),
        ("mlp:depth=2", (1, 1, 2), ["fc2", "head"]),  # fc1 sees the image
        ("mlp:depth=0", (1, 1, 2), []),
        ("abcrown-resnet2b", (3, 32, 32), ["linear1", "linear2"]),
    ],
)
def test_dropout_stands_before_every_linear_layer_with_hidden_inputs(
    text: str, shape: tuple[int, int, int], dropped: list[str]
) -> None:
    model = network(text, shape)
    installed("dropout", model)
    found = [n for n, m in model.network.named_modules() if isinstance(m, DropoutLinear)]
    assert found == dropped


def test_dropout_keeps_the_names_of_the_weights() -> None:
    plain, model = network("lenet5"), network("lenet5")
    method = installed("dropout", model)
    assert model.state_dict().keys() == plain.state_dict().keys()
    model.load_state_dict(plain.state_dict())
    x = torch.rand(4, 1, 28, 28)
    assert torch.equal(model.eval()(x), plain.eval()(x)), "inert in eval mode"
    assert not torch.equal(model.train()(x), plain(x))
    method.deploy(model)
    assert not any(isinstance(m, DropoutLinear) for m in model.modules())
    assert torch.equal(model.train()(x), plain(x))
    assert isinstance(model.head, nn.Linear)


def test_dropout_scales_what_is_left_so_that_the_mean_stays() -> None:
    layer = DropoutLinear(nn.Linear(50, 3), 0.3)
    x = torch.ones(20000, 50)
    scale = (layer(x) - layer.bias).mean(0) / (x[0] @ layer.weight.T)
    torch.testing.assert_close(scale, torch.ones(3), rtol=0.05, atol=0.05)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(3, 50))
        layer.bias.zero_()
    values = layer(x)
    torch.testing.assert_close(values.unique(), torch.tensor([0.0, 1 / 0.7]))
    assert (values == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)


def test_dropout_reaches_a_replaced_head_that_stands_to_its_left() -> None:
    model = network("lenet5")
    for text in ("vib", "dropout"):
        installed(text, model)
    assert isinstance(model.head.encode, DropoutLinear)


# --- label smoothing ---


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.7, 1.0])
def test_label_smoothing_is_torchs(alpha: float) -> None:
    logits, labels = torch.randn(9, CLASSES), torch.arange(9) % CLASSES
    method = build(Method, f"label-smoothing:alpha={alpha}")
    smoothed = method.targets(logits, F.one_hot(labels, CLASSES).float())
    expected = F.cross_entropy(logits, labels, label_smoothing=alpha)
    torch.testing.assert_close(cross_entropy(logits, smoothed), expected)


def test_label_smoothing_over_the_wrong_classes() -> None:
    method = build(Method, "label-smoothing:alpha=0.3,over=wrong")
    y = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]])
    expected = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.4, 0.4, 0.1, 0.1]])
    torch.testing.assert_close(method.targets(y, y), expected)


def test_the_two_conventions_agree_at_alphas_of_the_ratio_c_over_c_minus_1() -> None:
    y = torch.eye(CLASSES)
    everywhere = build(Method, "label-smoothing:alpha=0.4").targets(y, y)
    wrong = build(Method, "label-smoothing:alpha=0.3,over=wrong").targets(y, y)  # 0.4 · 3/4
    torch.testing.assert_close(everywhere, wrong)


def test_label_smoothing_leaves_what_an_attack_sees_alone() -> None:
    seen, batch = Seen(), make_batch()
    Objective(make_model(), [*quick("label-smoothing"), seen])(batch)
    assert torch.equal(seen.batches[0].y, batch.y)


# --- noise ---


def noisy(text: str) -> tuple[Tensor, Tensor]:
    seen, model = Seen(), make_model()
    objective = Objective(model, [*quick(text), seen])
    x = torch.rand(64, 3, 32, 32)
    for _ in range(2):
        objective(Batch.of(x, torch.arange(64) % CLASSES, CLASSES))
    return x, torch.stack([batch.x for batch in seen.batches])


def test_noise_is_gaussian_fresh_and_unclamped() -> None:
    x, images = noisy("noise:sigma=0.5")
    noise = (images - x).flatten(1)
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert noise.std().item() == pytest.approx(0.5, rel=0.01)
    assert (noise.abs() < 0.5).float().mean().item() == pytest.approx(0.6827, abs=0.005)
    assert abs(torch.corrcoef(noise)[0, 1].item()) < 0.02, "the second batch's noise is new"
    assert images.min() < -0.5 and images.max() > 1.5


def test_noise_can_be_clamped() -> None:
    x, images = noisy("noise:sigma=0.5,clamp=true")
    assert images.min() == 0 and images.max() == 1
    inside = (images > 0) & (images < 1)
    assert (images - x)[inside].abs().max() > 0.5


# --- Jacobian ---


class Curved(nn.Module):
    """A small smooth network."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(12, 7), nn.Linear(7, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(torch.tanh(self.one(x.flatten(1))))


def curved() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return Curved().double(), torch.rand(5, 3, 2, 2, dtype=torch.float64)


def reference(net: nn.Module, x: Tensor) -> Tensor:
    """½ mean_b ‖J_b‖², one image at a time, by torch's own Jacobian."""
    norms = [
        torch.autograd.functional.jacobian(lambda one: net(one[None])[0], image).square().sum()
        for image in x
    ]
    return torch.stack(norms).mean() / 2


def penalty(net: nn.Module, x: Tensor, projections: int) -> Tensor:
    x = x.clone().requires_grad_()
    return half_squared_norm(net(x), x, projections)


def test_the_exact_jacobian_penalty_is_torchs_jacobian() -> None:
    net, x = curved()
    torch.testing.assert_close(penalty(net, x, -1), reference(net, x))


def test_the_jacobian_penalty_of_a_linear_network_is_its_weights_norm() -> None:
    linear, x = nn.Linear(12, CLASSES).double(), torch.rand(6, 12, dtype=torch.float64)
    expected = linear.weight.square().sum() / 2
    torch.testing.assert_close(penalty(linear, x, -1), expected)


@pytest.mark.parametrize("projections", [1, 3])
def test_random_projections_estimate_it_without_bias(projections: int) -> None:
    net, x = curved()
    estimates = torch.stack([penalty(net, x, projections).detach() for _ in range(500)])
    error = estimates.std() / len(estimates) ** 0.5
    assert abs(estimates.mean() - reference(net, x)) < 4 * error
    assert estimates.std() > 0


def test_the_jacobian_penaltys_gradient_equals_finite_differences() -> None:
    net, x = curved()
    weight = net.get_parameter("one.weight")
    (slope,) = torch.autograd.grad(penalty(net, x, -1), weight)
    direction, h = torch.randn_like(weight), 1e-5
    with torch.no_grad():
        weight += h * direction
        up = reference(net, x)
        weight -= 2 * h * direction
        down = reference(net, x)
    torch.testing.assert_close((slope * direction).sum(), (up - down) / (2 * h), rtol=1e-6, atol=0)


def test_the_jacobian_penalty_joins_the_loss_with_its_weight() -> None:
    batch, model = make_batch(), make_model().eval()  # eval mode: no ties between the samples
    plain = Objective(model, [])(batch).loss
    ours = Objective(model, quick("jacobian:weight=0.5,projections=-1"))(batch).loss
    torch.testing.assert_close(ours - plain, 0.5 * reference(model, batch.x))


def test_jacobian_refuses_no_projections() -> None:
    with pytest.raises(UsageError, match="projections=0 measures nothing"):
        build(Method, "jacobian:projections=0")
