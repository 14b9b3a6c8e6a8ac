"""Margins of logistic networks: 2 ln 9 / |w| straight across, and the cases that have none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from analysis.networks import Linear, halfspaces, images
from torch import nn

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.analysis.analyses.margin import Margin
from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError


def points(*places: tuple[float, float], labels: list[int]) -> Images:
    return Images(torch.tensor(places).view(-1, 1, 1, 2), torch.tensor(labels))


def test_straight_across_it_is_two_ln_nine_by_the_weight() -> None:
    w = torch.tensor([30.0, 40.0])
    unit = w / w.norm()
    ends = [0.5 + s * unit for s in (-0.4, 0.4)]
    test = Images(torch.stack(ends).view(-1, 1, 1, 2), torch.tensor([0, 1]))
    network = halfspaces(w, offset=-35.0)  # the line through (0.5, 0.5)
    exact = 2 * math.log(9) / 50
    fine = analyse_model(network, test, Margin(points=2001, interpolate=True))
    assert fine["mean"] == pytest.approx(exact, rel=1e-3)
    coarse = analyse_model(network, test, Margin())
    assert coarse["mean"] == pytest.approx(exact, abs=2 * 0.8 / 24)
    assert coarse["mean"] <= exact  # both boundaries lie inside the band
    assert coarse.table["case"].tolist() == ["defined"]


@pytest.mark.parametrize("degrees", [0, 25, 50])
def test_at_an_angle_it_is_wider_by_the_cosine(degrees: float) -> None:
    angle = math.radians(degrees)
    along = torch.tensor([math.cos(angle), math.sin(angle)])
    ends = torch.stack([0.5 - 0.4 * along, 0.5 + 0.4 * along])
    test = Images(ends.view(-1, 1, 1, 2), torch.tensor([0, 1]))
    network = halfspaces(torch.tensor([20.0, 0.0]), offset=-10.0)
    found = analyse_model(network, test, "margin:points=2001,interpolate=true")
    assert found["median"] == pytest.approx(2 * math.log(9) / 20 / math.cos(angle), rel=1e-3)


def test_pairs_without_a_margin_are_counted_apart() -> None:
    network = halfspaces(torch.tensor([20.0, 0.0]), offset=-10.0)  # p = 0.9 at 0.5 ± 0.11
    test = points((0.1, 0.5), (0.55, 0.5), (0.9, 0.5), (0.2, 0.5), labels=[0, 1, 1, 1])
    found = analyse_model(network, test, Margin(points=101))
    cases = dict(zip(found.table["second"], found.table["case"], strict=True))
    assert (found.table["first"] == 0).all()
    assert cases == {1: "unsure end", 2: "defined", 3: "no crossing"}
    assert found["unsure end"] == found["no crossing"] == found["answered"] == pytest.approx(1 / 3)
    assert found.table["margin"].isna().sum() == 2
    assert found["mean"] == found["median"] == pytest.approx(2 * math.log(9) / 20, abs=0.016)


def test_a_band_narrower_than_a_step_has_a_margin_of_nothing() -> None:
    network = halfspaces(torch.tensor([1e4, 0.0]), offset=-5e3)
    test = points((0.1, 0.5), (0.91, 0.5), labels=[0, 1])
    found = analyse_model(network, test, "margin")
    assert found["crossed"] == 1 and found["mean"] == 0 and found["answered"] == 1
    assert analyse_model(network, test, "margin:interpolate=true")["crossed"] == 0


def test_of_several_classes_only_those_of_the_two_ends_count() -> None:
    """A third class between two others: each boundary is that of its own end."""
    weight = torch.tensor([[-60.0, 0.0], [60.0, 0.0], [0.0, 0.0]])
    network = Linear(weight, torch.tensor([60 * 0.3, -60 * 0.7, 0.0]))
    test = points((0.05, 0.5), (0.95, 0.5), labels=[0, 1])
    found = analyse_model(network, test, "margin:points=4001,interpolate=true")
    # p of an end's class is 0.9 where exp(±60 (x - 0.3)) = 9, the other end's share being nothing
    assert found["mean"] == pytest.approx(0.4 + 2 * math.log(9) / 60, rel=1e-3)


@pytest.mark.parametrize("pairs", [40, 100_000])
def test_pairs_are_different_and_of_other_classes(pairs: int) -> None:
    network = halfspaces(torch.tensor([3.0, -3.0]))
    test = images(network, 50, (1, 1, 2))
    rows = analyse_model(network, test, Margin(pairs=pairs, points=2)).table
    labels = test.labels.numpy()
    ones = int(labels.sum())
    assert len(rows) == min(pairs, ones * (50 - ones))
    assert (
        not rows[["first", "second"]].duplicated().any() and (rows["first"] < rows["second"]).all()
    )
    np.testing.assert_array_equal(rows["label_first"], labels[rows["first"]])
    assert (rows["label_first"] != rows["label_second"]).all()


def test_one_class_has_no_pairs() -> None:
    test = points((0.1, 0.5), (0.2, 0.5), labels=[1, 1])
    with pytest.raises(UsageError, match="all test points are of one class"):
        analyse_model(nn.Identity(), test, "margin")
