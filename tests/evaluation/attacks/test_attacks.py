"""Every attack of the folder, and what is particular to some."""

from __future__ import annotations

import warnings

import foolbox as fb
import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.algorithms.targets import Targeted
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.spec import build, describe, find, names

ELSEWHERE = ("transfer", *(n for n in names("attacks") if "brendel" in n))  # they need more
ATTACKS = [name for name in names("attacks") if name not in ELSEWHERE]
TARGETED = [name for name in ATTACKS if issubclass(find(Attack, name), Targeted)]
SHORT = {name: ":steps=10" for name in ATTACKS if "steps" in find(Attack, name)().settings}
SHORT |= {
    "certify": ":n=20,n0=10",
    "eot": ":draws=2,attack=linf-pgd:steps=3",
    "l1-ead": ":steps=20,searches=4,const=0.1",
    "l0-sigma-zero": ":steps=30",
    "l1-apgd-t": ":steps=20,targets=2",
    "l1-square": ":queries=20",
    "l2-boundary": ":steps=40",
    "l2-cw": ":steps=20,searches=4,const=0.1",
    "l2-hopskipjump": ":steps=2,evals=20",
    "l2-noise": ":draws=5",
    "l2-square": ":queries=20",
    "linf-hopskipjump": ":steps=2,evals=20",
    "linf-noise": ":draws=5",
    "linf-square": ":queries=20",
    "spatial": ":shifts=2,angles=2",
    "worst-case": ":steps=5,queries=10",
}
OF_ANY_NORM = {"certify": "l2", "eot": "linf", "spatial": "none", "worst-case": "linf"}


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack(name: str, cnn: nn.Module, images: Images) -> None:
    attack = build(Attack, name + SHORT.get(name, ""))
    assert attack.norm == OF_ANY_NORM.get(name, name.partition("-")[0])
    assert describe("attacks", name).endswith(".")
    assert build(Attack, str(attack)) == attack
    found = evaluate_model(cnn, images[:20], attack, grid(["0,0.2"]))
    rows, eps = found.samples, found.samples["eps"].astype(float)
    broken = (rows["prediction"] != rows["label"]) & rows["distance"].notna()
    assert (rows["distance"] <= eps * (1 + 1e-6))[broken].all()
    assert not found.record["rejected"]
    assert found.record["parameters"] == attack.settings
    costs = found.record["cost"]["backwards"] > 0
    assert costs == (attack.access == "gradient")


@pytest.mark.parametrize(
    ("name", "target"),
    [(name, "next") for name in TARGETED]
    + [("linf-pgd", "random"), ("l2-boundary", "random"), ("l2-fmn", "least-likely")],
)
def test_a_targeted_attack_counts_only_what_reaches_its_target(
    name: str, target: str, cnn: nn.Module, images: Images
) -> None:
    spec = f"{name}{SHORT.get(name, ':')},target={target}".replace(":,", ":")
    found = evaluate_model(cnn, images[:30], spec, grid(["0,0.3,2,30"]))
    rows = found.samples[found.samples["clean"] == found.samples["label"]]
    assert (rows["target"] != rows["label"]).all()
    broken = rows["prediction"] != rows["label"]
    assert (rows["prediction"] == rows["target"])[broken].all()
    assert broken.any()
    if target == "next":
        assert (rows["target"] == (rows["label"] + 1) % 4).all()


def test_restarts_help_and_see_only_what_is_left(cnn: nn.Module, images: Images) -> None:
    epsilons = grid(["0.02"])
    one, five = (
        evaluate_model(cnn, images, f"linf-pgd:steps=1,step-size=0.001,restarts={r}", epsilons)
        for r in (1, 5)
    )
    assert five.accuracy()["accuracy"][0] < one.accuracy()["accuracy"][0]
    assert five.record["cost"]["backwards"] < 5 * one.record["cost"]["backwards"]
    with pytest.raises(UsageError, match="every restart is the same"):
        build(Attack, "linf-pgd:restarts=2,random-start=false")


def test_pgd_steps_are_the_fraction_of_eps_or_absolute() -> None:
    default = build(Attack, "linf-pgd:steps=50").build(0.3)
    assert default.rel_stepsize * 0.3 == pytest.approx(2.5 * 0.3 / 50)
    assert default.abs_stepsize is None
    assert build(Attack, "linf-pgd:step-size=2/255").build(0.3).abs_stepsize == 2 / 255


class Bright(nn.Module):
    """Class 1 above a mean brightness, else 0."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        lead = x.flatten(1).mean(1) - self.threshold
        return torch.stack([-lead, lead], 1)


GREY = Images(torch.full((30, 1, 8, 8), 0.5), torch.zeros(30, dtype=torch.long))
DRAWS = "l2-boundary:steps=20,draws=4"


def test_boundary_lists_samples_without_a_start_and_attacks_the_others() -> None:
    model = Bright(0.56)  # few noise images are that bright
    with pytest.raises(ValueError, match="init_attack failed"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fb.attacks.BoundaryAttack(steps=1)(
            fb.PyTorchModel(Bright(0.7).eval(), (0, 1)), GREY.x[:3], GREY.labels[:3], epsilons=9
        )
    found = evaluate_model(model, GREY, DRAWS, grid(["9"]))
    failed = [entry["index"] for entry in found.record["failed"]]
    assert 0 < len(failed) < 30
    assert "no starting point" in found.record["failed"][0]["reason"]
    assert found.samples["distance"].isna().sum() == len(failed)
    assert found.accuracy()["accuracy"][0] == len(failed) / 30
    assert "count as not broken" in found.record["notes"][0]


def test_boundary_starts_from_another_image_where_noise_fails() -> None:
    bright = Images(
        torch.cat([GREY.x, torch.full((1, 1, 8, 8), 0.9)]), torch.tensor([0] * 30 + [1])
    )
    found = evaluate_model(Bright(0.8), bright, DRAWS, grid(["9"]))
    assert not found.record["failed"]
    assert found.accuracy()["accuracy"][0] == 0
    grey = found.samples["distance"][:30]
    assert (grey >= 0.3 * 8 - 1e-4).all() and grey.median() < 0.3 * 8 * 1.1


def test_boundary_survives_a_start_that_is_denied_on_second_thoughts() -> None:
    class Wavering(Bright):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x + 0.05 * torch.randn(len(x), 1, 1, 1))

    found = evaluate_model(Wavering(0.56), GREY, f"{DRAWS},start=noise", grid(["9"]))
    reasons = {entry["reason"] for entry in found.record["failed"]}
    assert any("starting_points are not adversarial" in reason for reason in reasons)
    assert found.n == 30


def test_boundary_walks_from_the_nearest_image_of_another_class(
    cnn: nn.Module, images: Images
) -> None:
    walks = [f"l2-boundary:steps=30,start={start}" for start in ("nearest", "noise")]
    near, far = (
        evaluate_model(cnn, images, walk, grid(["9"])).samples["distance"].median()
        for walk in walks
    )
    assert near < far


def test_deepfool_that_finds_nothing_is_listed(images: Images) -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor([1.0, 0.0]) + 0 * x.flatten(1).sum(1, keepdim=True)

    nothing = Images(images.pixels, torch.zeros_like(images.labels))
    found = evaluate_model(Constant(), nothing, "l2-deepfool:steps=2", grid(["1"]))
    assert found.accuracy()["accuracy"][0] == 1
    assert len(found.record["failed"]) == 60
    assert "found no adversarial" in found.record["failed"][0]["reason"]
