"""Church windows of linear networks, whose boundaries are known lines."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from analysis.networks import halfspaces, images, linear
from torch import nn

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.analysis.analyses.church_window import ChurchWindow
from robustbench_cli.errors import UsageError


def test_the_boundary_of_two_halfspaces_lies_where_geometry_says() -> None:
    """Along the sign of the gradient the margin shrinks by a |w|₁."""
    w = torch.linspace(-1, 1.1, 16)
    network = halfspaces(w)
    test = images(network)
    found = analyse_model(network, test, ChurchWindow(images=6, points=41, eps=0.5))
    for index, window in found.table.groupby("index"):
        margin = float(test.pixels[int(str(index))].flatten() @ w)
        towards = -np.sign(margin)
        straight = window[np.isclose(window["b"], 0)]
        crossed = margin + towards * straight["a"] * float(w.abs().sum())
        clear = crossed.abs() > 1e-4
        expected = np.where(crossed > 0, 1, 0)
        assert (straight["prediction"][clear] == expected[clear]).all()
        # and in the whole plane the two sides are cut by one straight line
        right = window["prediction"] == window["label"]
        log_odds = np.where(right, 1, -1) * np.log(
            window["confidence"] / (1 - window["confidence"])
        )
        design = np.column_stack([np.ones(len(window)), window["a"], window["b"]])
        left = np.linalg.lstsq(design, log_odds, rcond=None)[1]
        assert left.size == 1 and left[0] < 1e-4 * len(window)


def test_the_distance_to_the_boundary_is_that_of_the_line_to_a_step() -> None:
    w = torch.full((16,), 0.5)  # its sign is its direction, so the nearest point lies on the axis
    network = halfspaces(w, offset=-4.4)
    test = images(network)
    found = analyse_model(network, test, ChurchWindow(images=6, points=201, eps=0.5))
    margins = [abs(float(x.flatten() @ w) - 4.4) / 8 for x in test.pixels]
    assert max(margins) < 0.5
    assert found["no boundary"] == 0
    assert found["nearest boundary"] == pytest.approx(np.mean(margins), abs=0.005)
    assert found["nearest boundary"] >= np.mean(margins) - 1e-6
    assert found["adversarial"] == pytest.approx(np.mean([(0.5 - m) for m in margins]), abs=0.01)


@pytest.mark.parametrize("directions", ["gradient", "random", "adversarial", "halves"])
def test_the_centre_is_the_image(directions: str) -> None:
    network = linear(4)
    test = images(network, 5)
    found = analyse_model(
        network, test, f"church-window:images=5,points=5,eps=0.1,directions={directions}"
    ).table
    assert len(found) == 5 * 25 and not found["flat"].any()
    centre = found[(found["a"] == 0) & (found["b"] == 0)]
    out = network(test.pixels)
    assert centre["prediction"].tolist() == out.argmax(1).tolist()
    np.testing.assert_allclose(
        centre["loss"],
        nn.functional.cross_entropy(out, test.labels, reduction="none"),
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(centre["confidence"], out.softmax(1).amax(1), rtol=1e-5)


def test_two_classes_have_no_second_adversarial_direction() -> None:
    network = halfspaces(torch.ones(16))
    with pytest.raises(UsageError, match="type directions=halves"):
        analyse_model(network, images(network), "church-window:eps=1,directions=adversarial")


def test_a_network_without_a_gradient_is_said_to_be_flat() -> None:
    class Step(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return linear()(x).round().detach()

    test = images(Step())
    found = analyse_model(Step(), test, "church-window:eps=0.1,points=3,images=2")
    assert found["flat"] == 1


def test_clamped_windows_stay_in_the_box() -> None:
    seen: list[torch.Tensor] = []

    class Spy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.detach())
            return linear()(x)

    test = images(linear())
    analyse_model(Spy(), test, "church-window:eps=1,points=3,images=2,clamp=true")
    assert min(float(x.min()) for x in seen) >= 0 and max(float(x.max()) for x in seen) <= 1


def test_an_even_number_of_points_has_no_centre() -> None:
    with pytest.raises(UsageError, match="points=100 is even; type 101"):
        ChurchWindow(points=100)
