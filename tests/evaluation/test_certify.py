"""Certificates: the bound, the radius, and an image whose smoothed radius is known."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import torch
from scipy.stats import beta, binom
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.certify import (
    ABSTAIN,
    Certifier,
    certificate,
    certified_radius,
    copies_for,
    lower_bound,
    votes,
)
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.throughput.batches import Batches
from robustbench_cli.evaluation.transfer import transfer
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import build

NORMAL = NormalDist()
CPU = torch.device("cpu")


class Plane(nn.Module):
    """Two classes divided by the plane through 0.5 with unit normal along the diagonal."""

    def forward(self, x: Tensor) -> Tensor:
        lead = (x - 0.5).flatten(1).sum(1) / sqrt(x[0].numel())
        return torch.stack([-lead, lead], 1)


class Says(nn.Module):
    """Always the same logits, finite or not."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.register_buffer("logits", torch.tensor(logits))

    def forward(self, x: Tensor) -> Tensor:
        return self.logits.expand(len(x), -1)


def at(*distances: float) -> Tensor:
    """Images (N, 1, 4, 4) at signed distances from the plane."""
    return 0.5 + torch.tensor(distances)[:, None, None, None].expand(-1, 1, 4, 4) / 4


# --- the bound ---


@pytest.mark.parametrize(("successes", "n"), [(1, 1), (99, 100), (100, 100), (9_990, 10_000)])
def test_the_bound_is_the_quantile_of_a_beta_distribution(successes: int, n: int) -> None:
    wanted = beta.ppf(0.001, successes, n - successes + 1)
    assert lower_bound(successes, n, 0.001) == pytest.approx(wanted)
    # its definition: so many successes or more would happen with probability alpha
    assert binom.sf(successes - 1, n, lower_bound(successes, n, 0.001)) == pytest.approx(0.001)


def test_the_bound_of_nothing_and_of_everything() -> None:
    assert lower_bound(0, 100, 0.001) == 0
    assert lower_bound(100, 100, 0.001) == pytest.approx(0.001 ** (1 / 100))


@pytest.mark.parametrize("p", [0.5, 0.8, 0.99])
def test_the_bound_is_wrong_no_more_often_than_it_says(p: float) -> None:
    drawn = np.random.default_rng(0).binomial(200, p, size=20_000)
    bounds = {k: lower_bound(int(k), 200, 0.05) for k in np.unique(drawn)}
    wrong = np.mean([bounds[k] > p for k in drawn])
    assert wrong < 0.05 + 3 * sqrt(0.05 * 0.95 / 20_000)
    assert wrong > 0.02 or p > 0.95  # not needlessly low, where so few counts are left


def test_the_radius_is_cohens() -> None:
    radius = certified_radius(95_000, 100_000, 0.5, 0.001)
    assert radius == pytest.approx(0.5 * NORMAL.inv_cdf(beta.ppf(0.001, 95_000, 5_001)))
    assert certified_radius(100_000, 100_000, 1, 0.001) == pytest.approx(3.8115, abs=1e-4)
    assert certified_radius(50_000, 100_000, 1, 0.001) == 0
    assert certified_radius(50_100, 100_000, 1, 0.001) == 0  # above half, and not surely so


@pytest.mark.parametrize(("n", "alpha"), [(10, 0.001), (9, 0.001), (10_000, 0.001), (3, 0.2)])
def test_no_image_is_certified_further_than_the_reach(n: int, alpha: float) -> None:
    attack = Certifier(sigma=0.25, n=n, alpha=alpha)
    p = alpha ** (1 / n)  # the bound where all answers agree
    assert attack.reach == pytest.approx(0.25 * NORMAL.inv_cdf(p) if p > 0.5 else 0.0)
    images = Images(at(0.3), torch.tensor([1]))
    found = evaluate_model(Says(0.0, 1.0), images, replace(attack, n0=1), grid(["0"]))
    assert found.samples["radius"].tolist() == pytest.approx([attack.reach])


@pytest.mark.parametrize("radius", [0.0, 0.1, 0.5, 1.0])
def test_so_many_copies_are_enough_and_one_less_is_not(radius: float) -> None:
    n = int(copies_for(radius, 0.25, 0.001))
    # at 0, p must exceed ½
    assert certified_radius(n, n, 0.25, 0.001) >= radius
    assert certified_radius(n - 1, n - 1, 0.25, 0.001) < max(radius, 1e-9)


def test_radii_out_of_reach_are_refused_with_what_would_do() -> None:
    small = Certifier(n=10)
    with pytest.raises(
        UsageError,
        match=r"n=10, alpha=0.001 and sigma=0.25 certify radii up to "
        r"0.0007\d* at most; type smaller epsilons or n=40, or "
        r"\S+:n=10,beyond=true to ask",
    ):
        small.refuse_beyond(grid(["0,0.25"]))
    with pytest.raises(UsageError, match="certify no radius at all; type n=10, or"):
        Certifier(n=9).refuse_beyond(grid(["0"]))
    with pytest.raises(UsageError, match="smaller epsilons or a larger sigma, or"):
        Certifier().refuse_beyond(grid(["0,0.5,5"]))
    replace(small, beyond=True).refuse_beyond(grid(["0.25"]))
    assert replace(small, beyond=True).settings == small.settings  # stored certificates hold


# --- images ---


def test_a_plane_is_certified_up_to_its_distance_and_hardly_less() -> None:
    """Smoothing a half space changes nothing: the true radius is the distance to the plane."""
    x = at(0.1, 0.3, -0.2, -0.4)
    attack = Certifier(sigma=0.25, n=4000)
    torch.manual_seed(0)
    found = [
        certificate(attack, Plane(), each[None], 2, Batches(500, (1, 4, 4), CPU)) for each in x
    ]
    assert [each.prediction for each in found] == [1, 1, 0, 0]
    for each, distance in zip(found, (0.1, 0.3, 0.2, 0.4), strict=True):
        assert 0.85 * distance - 0.01 < each.radius < distance


def test_certificates_are_seldom_too_large() -> None:
    attack = Certifier(sigma=0.5, n=50, n0=10, alpha=0.2)
    torch.manual_seed(0)
    batches = Batches(60, (1, 4, 4), CPU)
    radii = [certificate(attack, Plane(), at(0.3), 2, batches).radius for _ in range(400)]
    assert np.mean(np.array(radii) > 0.3) < 0.2 + 3 * sqrt(0.2 * 0.8 / 400)


def test_votes_are_counted_over_batches_and_nan_is_no_vote() -> None:
    x = torch.rand(1, 1, 4, 4)
    for size in (3, 10, 100):
        batches = Batches(size, (1, 4, 4), CPU)
        assert votes(Says(0.0, 2.0, 1.0), x, 0.1, 10, 3, batches).tolist() == [0, 10, 0]
        assert votes(Says(0.0, torch.nan), x, 0.1, 10, 2, batches).tolist() == [0, 0]


# --- evaluations ---


def evaluation(**changes: object) -> Evaluation:
    images = Images(at(0.1, 0.2, 0.6, -0.6, 0.6, 0.0), torch.tensor([1, 1, 1, 0, 0, 1]))
    return evaluate_model(
        Plane(), images, "certify:sigma=0.25,n=500,n0=20", grid(["0,0.1,0.3,2"]), **changes
    )


def test_what_counts_at_which_radius() -> None:
    found = evaluation()
    right = found.correct()
    # the third and fourth hold far out; the fifth is certified for the wrong class
    assert right["0.3"].tolist() == [False, False, True, True, False, False]
    assert right["0.1"].tolist() == [False, True, True, True, False, False]
    assert right["0"].tolist() == [True, True, True, True, False, False]
    assert not right["2"].any()
    rows = found.samples.query("eps == '0.3'")
    assert rows["prediction"].tolist() == [ABSTAIN, ABSTAIN, 1, 0, 1, ABSTAIN]
    assert rows["clean"].tolist() == [1, 1, 1, 0, 1, ABSTAIN]
    assert (rows["radius"] > 0).tolist() == [True] * 5 + [False]
    assert rows["distance"].isna().all()


def test_an_abstention_is_an_error_and_counted() -> None:
    found = evaluation()
    assert found.record["abstained"] == 1
    assert found.clean_accuracy == pytest.approx(4 / 6)
    assert "abstained on 1 of 6 images, which count as errors" in found.record["notes"][0]


def test_the_record_says_that_it_is_no_attack() -> None:
    record = evaluation().record
    assert record["kind"] == "certified" and record["view"] == "smoothed"
    assert "access" not in record and "one_step" not in record
    assert record["cost"]["forwards"] == 520 and record["cost"]["backwards"] == 0
    assert record["identity"]["parameters"]["alpha"] == 0.001


def test_an_image_has_the_same_certificate_in_any_company(tmp_path: Path) -> None:
    whole = evaluation()
    images = Images(at(0.1, 0.2), torch.tensor([1, 1]))
    two = evaluate_model(Plane(), images, "certify:sigma=0.25,n=500,n0=20", grid(["0,0.1,0.3,2"]))
    assert two.samples["radius"].tolist() == whole.samples.query("index < 2")["radius"].tolist()
    other = evaluation(seed=1)
    assert other.samples["radius"].tolist() != whole.samples["radius"].tolist()
    assert evaluation().samples.equals(whole.samples)
    kept = evaluation(parts=tmp_path)  # and again from what is on disk
    assert evaluation(parts=tmp_path).samples.equals(kept.samples)


def test_a_certificate_has_no_images_to_transfer() -> None:
    images = Images(at(0.2, 0.3), torch.tensor([1, 1]))
    with pytest.raises(UsageError, match="certify makes no images"):
        transfer({"a": Plane()}, {"b": Plane()}, images, "certify", grid(["0.1"]))


def test_it_is_written_as_it_is_read() -> None:
    attack = build(Attack, "certify:n=1000,sigma=1/2")
    assert isinstance(attack, Certifier) and str(attack) == "certify:sigma=0.5,n=1000"
