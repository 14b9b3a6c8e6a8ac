"""Between the images of linear networks: nothing is missed, and gradients are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from analysis.networks import halfspaces, images, linear

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.analysis.analyses.in_between import InBetween


def test_between_two_classes_a_linear_network_misses_nothing() -> None:
    network = halfspaces(torch.linspace(-1, 1.1, 16))
    train = images(network, 30)
    found = analyse_model(network, train, InBetween(pairs=60), train=train)
    assert found["miss, other classes"] == 0 and found["miss, same class"] == 0
    assert len(found.table) == 60 * 21 and found.table["same"].nunique() == 2


def test_misses_are_counted_by_hand() -> None:
    network = linear(5)
    train = images(network, 40)
    rows = analyse_model(network, train, InBetween(pairs=50, points=5), train=train).table
    for _, row in rows.iterrows():
        a, b, lam = (int(row["first"]), int(row["second"]), float(row["lam"]))
        x = lam * train.pixels[a] + (1 - lam) * train.pixels[b]
        found = int(network(x[None]).argmax())
        assert found == row["prediction"]
        assert row["miss"] == (found not in (row["label_first"], row["label_second"]))
    assert 0 < rows["miss"].mean() < 1 and not rows[rows["lam"].isin([0, 1])]["miss"].any()


def test_the_gradient_is_that_of_the_closed_form() -> None:
    """Of the cross entropy of softmax(Wx): Wᵀ (p - y)."""
    network = linear(4)
    train = images(network, 20)
    for label in ("nearest", "mixed"):
        question = InBetween(pairs=10, points=5, label=label, classes="other")
        rows = analyse_model(network, train, question, train=train).table
        for _, row in rows.iterrows():
            a, b, lam = (int(row["first"]), int(row["second"]), float(row["lam"]))
            x = lam * train.pixels[a] + (1 - lam) * train.pixels[b]
            share = lam if label == "mixed" else float(lam >= 0.5)
            y = torch.zeros(4)
            y[int(row["label_first"])] += share
            y[int(row["label_second"])] += 1 - share
            expected = ((network(x[None]).softmax(1)[0] - y) @ network.weight).norm()
            assert row["gradient"] == pytest.approx(float(expected), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("classes", ["same", "other"])
def test_pairs_are_of_the_classes_asked_for(classes: str) -> None:
    network = linear(4)
    train = images(network, 40)
    rows = analyse_model(
        network, train, f"in-between:pairs=30,points=2,classes={classes}", train=train
    ).table
    assert (rows["same"] == (classes == "same")).all()
    assert (rows["first"] != rows["second"]).all()
    np.testing.assert_array_equal(rows["label_first"], train.labels.numpy()[rows["first"]])
