"""Regions of a linear network, whose boundary is a known line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from analysis.networks import halfspaces, images, linear

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.errors import UsageError

POINT = (1, 1, 2)


def test_the_plane_is_cut_where_the_line_is() -> None:
    w, offset = torch.tensor([3.0, -5.0]), 0.7
    network = halfspaces(w, offset)
    train = images(network, 30, POINT)
    spec = "decision-regions:points=21,train=20,level=0.8"
    found = analyse_model(network, train, spec, train=train)
    one = found.table[found.table["class"] == 1]
    grid, shown = one[one["label"] < 0], one[one["label"] >= 0]
    assert len(grid) == 21 * 21 and len(shown) == 20
    z = 3 * one["x"] - 5 * one["y"] + offset
    np.testing.assert_allclose(one["probability"], 1 / (1 + np.exp(-z)), atol=1e-5)
    corners = set(zip(grid["x"].iloc[[0, 20, -1]], grid["y"].iloc[[0, 20, -1]], strict=True))
    assert corners == {(0, 0), (1, 0), (1, 1)}
    np.testing.assert_allclose(shown[["x", "y"]], train.pixels[:20].flatten(1), atol=1e-6)
    assert shown["label"].tolist() == train.labels[:20].tolist()
    sure = 1 / (1 + np.exp(-z[grid.index].abs()))
    assert found["confidence"] == pytest.approx(sure.mean(), abs=1e-5)
    assert found["unsure"] == pytest.approx((sure < 0.8).mean())
    assert found["train accuracy"] == 1


def test_pieces_make_no_difference_and_no_training_point_is_needed() -> None:
    network = linear(3, POINT)
    train = images(network, 5, POINT)
    found = analyse_model(network, train, "decision-regions:points=80,train=0", train=train)
    assert len(found.table) == 80 * 80 * 3  # two pieces
    sums = found.table.groupby(["x", "y"])["probability"].sum()
    assert len(sums) == 80 * 80
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    assert [number.name for number in found.numbers] == ["confidence", "unsure"]


@pytest.mark.parametrize("analysis", ["decision-regions", "margin"])
def test_images_are_no_points(analysis: str) -> None:
    network = linear()
    test = images(network)
    with pytest.raises(UsageError, match="have 1x4x4 values; train on points"):
        analyse_model(network, test, analysis, train=test)
