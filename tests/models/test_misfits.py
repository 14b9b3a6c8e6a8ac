"""What shapes do not tell of a network is found where it makes clearly fewer mistakes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robustbench_cli.data.dataset import Images
from robustbench_cli.models.misfits import misfit
from robustbench_cli.models.model import Model

CLASSES = 4


def network(activation: Callable[[], nn.Module] = nn.ReLU, padding: str = "zeros") -> nn.Module:
    """Untrained, with the same weights whatever stands between them, for images of any size."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2, padding_mode=padding),
        activation(),
        nn.Conv2d(8, 16, 3, padding=1, padding_mode=padding),
        activation(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, CLASSES),
    )
    return net.eval().requires_grad_(requires_grad=False)


def labelled(truth: nn.Module, view: Callable[[Tensor], Tensor], wrong: float = 0.05) -> Images:
    """Smooth noise, and what `truth` says of it when it sees it so, a few labels aside."""
    torch.manual_seed(1)
    x = F.interpolate(torch.rand(400, 1, 4, 4), 8) * torch.rand(400, 1, 1, 1)
    answers = truth(view(x))
    labels = (answers - answers.mean(0)).argmax(1)
    truth[-1].bias -= answers.mean(0)  # type: ignore[index, operator]
    labels[: round(wrong * 400)] = (labels[: round(wrong * 400)] + 1) % CLASSES
    return Images(x, labels)


def found(truth: nn.Module, view: Callable[[Tensor], Tensor] = lambda x: x) -> str:
    """What is said of the weights of `truth` in a network of ReLUs that pads with zeros."""
    images, taken = labelled(truth, view), network()
    taken.load_state_dict(truth.state_dict())
    model = Model(taken, ("1",), "6", [0.0], [1.0]).eval()
    before = model(images.x)
    right = (before.argmax(1) == images.labels).numpy()
    said = misfit(model, images, right, classes=CLASSES, scales=True)
    assert torch.equal(model(images.x), before)  # all changes are undone
    return said


def test_nothing_is_said_of_what_it_was_taken_for() -> None:
    assert found(network()) == ""


@pytest.mark.parametrize(
    ("truth", "view", "said"),
    [
        (network(nn.Tanh), lambda x: x, "with Tanh instead of ReLU, "),
        (network(nn.ELU), lambda x: x, "with ELU instead of ReLU, "),
        (network(nn.Softplus), lambda x: x, "with Softplus instead of ReLU, "),
        (network(padding="circular"), lambda x: x, "with circular padding, "),
        (network(), lambda x: F.pad(x, [12] * 4), "with images padded to 32x32, "),
        (network(), lambda x: 255 * x, "with pixels in 0..255, "),
        (network(), lambda x: 1 - x, "with bright and dark exchanged, "),
        (network(), lambda x: x.mT, "with rows and columns exchanged, "),
    ],
)
def test_a_change_that_makes_clearly_fewer_mistakes_is_named(
    truth: nn.Module, view: Callable[[Tensor], Tensor], said: str
) -> None:
    assert f"95.0% are right {said}not " in found(truth, view)


@pytest.mark.parametrize("change", ["channels last where they are flattened", "red and blue exch"])
def test_what_has_channels_may_have_them_in_another_order(change: str) -> None:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(54, CLASSES)
    model = (
        Model(nn.Sequential(*layers), (), "3", [0.0] * 3, [1.0] * 3).eval().requires_grad_(False)
    )
    x = torch.rand(400, 3, 8, 8)
    with torch.no_grad():
        if change.startswith("red"):
            answers = model(x.flip(1))
        else:
            answers = layers[3](layers[1](layers[0](x)).permute(0, 2, 3, 1).flatten(1))
        layers[3].bias -= answers.mean(0)
    images = Images(x, (answers - answers.mean(0)).argmax(1))
    right = (model(x).argmax(1) == images.labels).numpy()
    said = misfit(model, images, right, classes=CLASSES, scales=False)
    assert f"100.0% are right with {change}" in said


def test_what_says_it_is_typed() -> None:
    assert found(network(), lambda x: 255 * x).endswith("type --normalise 0:1/255")
    assert "--model my_lab.nets:MyNet" in found(network(nn.Tanh))
