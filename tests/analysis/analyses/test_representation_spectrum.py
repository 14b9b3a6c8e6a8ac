"""Spectra of hidden activations, beside numpy's of the same activations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from analysis.networks import images

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.analysis.analyses.representation_spectrum import RepresentationSpectrum
from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError
from robustbench_cli.models.architectures.mlp import MLP
from robustbench_cli.models.model import Model, make
from robustbench_cli.training.methods.vib import VIB


def network() -> Model:
    torch.manual_seed(0)
    return make(MLP(depth=2, width=7), (1, 4, 4), 3).eval()


def activations(model: Model, x: torch.Tensor) -> dict[str, np.ndarray]:
    """What each hidden layer receives, by the layers' names."""
    layers = model.network
    first = layers.get_submodule("fc1")(x.flatten(1)).relu()
    second = layers.get_submodule("fc2")(first).relu()
    return {"fc2": first.detach().double().numpy(), "head": second.detach().double().numpy()}


@pytest.mark.parametrize("centred", [True, False])
def test_singular_values_are_those_of_numpy(centred: bool) -> None:
    model = network()
    test = images(model, 60)
    asked = RepresentationSpectrum(images=12, share=0.99, centred=centred)
    found = analyse_model(model, test, asked)
    directions: dict[str, list[int]] = {"fc2": [], "head": []}
    for (label, layer), rows in found.table.groupby(["label", "layer"]):
        members = test.pixels[test.labels == label][:12]
        matrix = activations(model, members)[str(layer)]
        matrix = matrix - matrix.mean(0) * centred
        values = np.linalg.svd(matrix, compute_uv=False)
        np.testing.assert_allclose(rows["value"], values, atol=1e-5)
        shares = np.cumsum(values**2) / np.sum(values**2)
        np.testing.assert_allclose(rows["carried"], shares, atol=1e-6)
        assert rows["rank"].tolist() == list(range(1, len(values) + 1))
        assert set(rows["images"]) == {len(members)} and set(rows["features"]) == {7}
        directions[str(layer)].append(1 + int(np.argmax(shares >= 0.99)))
    for layer, counts in directions.items():
        assert found[f"directions, {layer}"] == pytest.approx(np.mean(counts))
    assert max(directions["head"]) > 1


def test_a_flat_class_has_the_directions_it_was_given() -> None:
    """Activations in a plane: two directions carry all; a dead layer has none."""
    model = network()
    first = model.network.get_submodule("fc1")
    with torch.no_grad():
        first.weight[2:] = 0
        first.bias.zero_()
        first.bias[:2] = 50.0  # the rectifier lets everything through
        model.network.get_submodule("fc2").weight.zero_()
        model.network.get_submodule("fc2").bias.zero_()
    test = images(model, 30)
    found = analyse_model(model, test, "representation-spectrum:share=1")
    assert found["directions, fc2"] == 2 and found["directions, head"] == 0


def test_a_bottleneck_adds_its_code() -> None:
    model = network()
    VIB(size=3).install(model)
    test = images(model.eval(), 60)
    found = analyse_model(model, test, "representation-spectrum")
    assert [number.name for number in found.numbers] == [
        "directions, fc2",
        "directions, head",
        "directions, head.decode",
    ]
    code = found.table[found.table["layer"] == "head.decode"]
    assert set(code["features"]) == {3}


def test_classes_of_one_image_are_left_out() -> None:
    x = torch.rand(5, 1, 4, 4)
    found = analyse_model(
        network(), Images(x, torch.tensor([0, 0, 1, 2, 2])), "representation-spectrum"
    )
    assert set(found.table["label"]) == {0, 2}
    with pytest.raises(UsageError, match="no class has two test images"):
        analyse_model(network(), Images(x[:3], torch.arange(3)), "representation-spectrum")
