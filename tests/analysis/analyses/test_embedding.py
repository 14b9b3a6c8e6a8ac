"""Codes in two dimensions: beside scikit-learn's principal components, and drawn Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from analysis.networks import images, linear
from sklearn.decomposition import PCA
from torch import nn

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.analysis.analyses.embedding import Embedding
from robustbench_cli.analysis.planes import principal
from robustbench_cli.errors import UsageError
from robustbench_cli.models.architectures.mlp import MLP
from robustbench_cli.models.model import Model, make
from robustbench_cli.training.methods.info_mixup import ClassBottleneck, InfoMixup
from robustbench_cli.training.methods.vib import VIB


def network(width: int = 5) -> Model:
    torch.manual_seed(0)
    return make(MLP(depth=1, width=width), (1, 4, 4), 3).eval()


def hidden(model: Model, x: torch.Tensor) -> np.ndarray:
    """The head's inputs, by the layers' names."""
    layers: nn.Module = model.network
    code = layers.get_submodule("fc1")(x.flatten(1)).relu()
    return np.asarray(code.detach().double().numpy())


def test_the_axes_are_those_of_scikit_learn() -> None:
    model = network()
    test = images(model, 60)
    found = analyse_model(model, test, "embedding")
    codes = hidden(model, test.pixels)
    reference = PCA(2)
    places = reference.fit_transform(codes)
    largest = np.abs(reference.components_).argmax(1)
    signs = np.sign(reference.components_[range(2), largest])  # the largest loading is positive
    np.testing.assert_allclose(found.table[["x", "y"]], places * signs, atol=1e-5)
    assert found["explained"] == pytest.approx(reference.explained_variance_ratio_.sum())
    assert found["accuracy"] == 1 and (found.table["kind"] == "image").all()


def test_two_dimensions_stay_as_they_are() -> None:
    model = network(width=2)
    test = images(model, 20)
    found = analyse_model(model, test, "embedding")
    np.testing.assert_allclose(found.table[["x", "y"]], hidden(model, test.pixels), atol=1e-6)
    assert found["explained"] == 1


@pytest.mark.parametrize("width", [1, 4])
def test_codes_on_a_line_have_no_second_axis(width: int) -> None:
    line = torch.linspace(-1, 3, 7, dtype=torch.float64)[:, None] * torch.ones(width)
    origin, axes, explained = principal(line)
    assert origin.tolist() == pytest.approx([1] * width) and explained == pytest.approx(1)
    assert axes[0].tolist() == pytest.approx([width**-0.5] * width) and not axes[1].any()
    assert principal(torch.ones(3, width))[2] == 1  # all in one point


def test_of_a_bottleneck_the_means_are_shown() -> None:
    model = network()
    VIB(size=2).install(model)
    test = images(model.eval(), 20)
    places = analyse_model(model, test, "embedding").table[["x", "y"]]
    codes = torch.from_numpy(hidden(model, test.pixels)).float()
    encode = model.head.get_submodule("encode")
    np.testing.assert_allclose(places, encode(codes)[:, :2].detach(), atol=1e-6)


@pytest.mark.parametrize("size", [2, 6])
def test_samples_have_the_moments_of_the_classes_gaussians(size: int) -> None:
    """Projected on the axes that the images gave: A m + b, and A diag(v) A'."""
    model = network()
    InfoMixup(size=size).install(model)
    head = model.eval().head
    assert isinstance(head, ClassBottleneck)
    means, variances = torch.randn(3, size), torch.rand(3, size) + 0.5
    head.means.copy_(means)
    head.precisions[:2] = 1 / variances[:2]  # nothing is known of the third class
    test = images(model, 60)
    table = analyse_model(model, test, Embedding(samples=10_000)).table
    samples = table[table["kind"] == "sample"]
    assert samples.groupby("label").size().to_dict() == {0: 10_000, 1: 10_000}
    assert (samples[["index", "prediction"]] == -1).all(axis=None)
    origin, axes = np.zeros(size), np.eye(2, size)
    if size > 2:
        codes = head.encode(torch.from_numpy(hidden(model, test.pixels)).float())[:, :size]
        origin, axes = (part.numpy() for part in principal(codes.detach().double())[:2])
    for label in (0, 1):
        drawn = samples.loc[samples["label"] == label, ["x", "y"]].to_numpy()
        expected = axes @ (means[label].numpy() - origin)
        np.testing.assert_allclose(drawn.mean(0), expected, atol=0.06)
        spread = axes @ np.diag(variances[label].numpy()) @ axes.T
        np.testing.assert_allclose(np.cov(drawn.T), spread, atol=0.08)


def test_variance_between_classes_by_hand() -> None:
    model = network(width=2)
    test = images(model, 30)
    found = analyse_model(model, test, "embedding")
    places, labels = hidden(model, test.pixels), test.labels.numpy()
    means = np.array([places[labels == label].mean(0) for label in labels])
    between = ((means - places.mean(0)) ** 2).sum() / ((places - places.mean(0)) ** 2).sum()
    assert found["between classes"] == pytest.approx(between, rel=1e-4)


def test_a_network_without_named_layers_is_refused() -> None:
    with pytest.raises(UsageError, match="looks at hidden layers, and the network names none"):
        analyse_model(linear(), images(linear()), "embedding")


class Twice(nn.Module):
    """A defence that shows the network each image two times."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x) + self.model(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize("analysis", ["embedding", "representation-spectrum"])
def test_behind_a_defence_that_asks_twice_an_image_has_no_one_code(analysis: str) -> None:
    model = Twice(network())
    with pytest.raises(UsageError, match=r"2 inputs for an image, .* type --view bare"):
        analyse_model(model, images(model, 20), analysis)
    assert not any(module._forward_pre_hooks for module in model.modules())
