"""A union runs member by member: who broke what, at what cost, and where a kill left off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from foolbox.models.base import Model
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.evaluation.algorithms.union import Union
from robustbench_cli.evaluation.attack import Attack, Crafted, Samples
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.scheduling.schedules import ScheduleName
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import param

QUICK = "worst-case:steps=5,queries=20"
RADII = grid(["0.01,0.03"])


def test_every_broken_sample_has_one_member_and_no_other_has(
    cnn: nn.Module, images: Images, tmp_path: Path
) -> None:
    found = evaluate_model(cnn, images, QUICK, RADII, schedule="ascending")
    rows = found.samples
    tried = rows["clean"] == rows["label"]
    broken = tried & (rows["prediction"] != rows["label"])
    assert ((rows["member"] != "") == broken).all() and broken.any()
    for member in found.record["members"]:
        here = (rows["eps"] == member["eps"]) & rows["attacked"]
        assert (rows["member"][here] == member["member"]).sum() == member["broken"]
    stored = Evaluation.load(found.save(tmp_path))
    assert stored.samples["member"].tolist() == rows["member"].tolist()


def test_each_tries_what_the_ones_before_left_and_costs_add_up(
    cnn: nn.Module, images: Images
) -> None:
    found = evaluate_model(cnn, images, QUICK, RADII[1:], audit=0)
    members, right = found.record["members"], round(found.clean_accuracy * len(images))
    for member in members:
        assert member["tried"] == right
        right -= member["broken"]
    assert right == round(found.accuracy()["accuracy"][0] * len(images))
    for key in ("forwards", "backwards"):
        whole = sum(member[key] for member in members)
        assert whole == pytest.approx(found.record["cost"][key] * len(images), abs=1)


def test_other_attacks_have_no_members(cnn: nn.Module, images: Images) -> None:
    found = evaluate_model(cnn, images, "linf-fgsm", RADII)
    assert "member" not in found.samples and "members" not in found.record


def test_a_killed_one_goes_on_after_the_last_member_that_ended(
    cnn: nn.Module, images: Images, tmp_path: Path
) -> None:
    class Dies(nn.Module):
        """After so many images, and only if it is told to."""

        def __init__(self, after: int) -> None:
            super().__init__()
            self.net, self.left = cnn, after

        def forward(self, x: Tensor) -> Tensor:
            self.left -= len(x)
            if self.left < 0:
                raise KeyboardInterrupt
            return self.net(x)  # type: ignore[no-any-return]

    whole = evaluate_model(Dies(10**9), images, QUICK, RADII)
    with pytest.raises(KeyboardInterrupt):
        evaluate_model(Dies(1500), images, QUICK, RADII, parts=tmp_path)
    done = [json.loads(path.read_text()) for path in tmp_path.glob("chunk-*.json")]
    assert done and all(step["forwards"] for step in done)
    counted = Dies(10**9)
    again = evaluate_model(counted, images, QUICK, RADII, parts=tmp_path)
    assert again.samples.equals(whole.samples)
    assert again.record["cost"]["forwards"] == whole.record["cost"]["forwards"]
    spent = sum(step["forwards"] for step in done)
    total = whole.record["cost"]["forwards"] * len(images)
    assert 10**9 - counted.left < total - spent + 10 * len(images)  # and some looks at first
    assert len(list(tmp_path.glob("chunk-*.json"))) == 1  # steps go when their chunk is whole


@pytest.mark.parametrize("schedule", ["ascending", "bisect"])
def test_what_the_audit_alone_asks_for_is_no_count_of_a_member(
    cnn: nn.Module, images: Images, schedule: ScheduleName
) -> None:
    radii = grid(["0.01,0.02,0.03,0.04"])
    found = evaluate_model(cnn, images[:12], QUICK, radii, schedule=schedule, audit=12)
    tried = found.samples[found.samples["attacked"]].groupby("eps").size()
    members = found.record["members"]
    firsts = {each["eps"]: each["tried"] for each in reversed(members)}
    assert firsts == tried.to_dict() and len(firsts) > 1


@dataclass(kw_only=True)
class Brighten(Attack):
    """Adds the radius to one pixel."""

    norm: ClassVar[Norm] = "linf"
    one_step: ClassVar[bool] = True
    pixel: int

    @property
    def name(self) -> str:
        return f"brighten-{self.pixel}"

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        images = samples.x.clone()
        images.flatten(1)[:, self.pixel] += eps or 0
        return Crafted(images)


@dataclass(kw_only=True)
class Brightenings(Union):
    norm: ClassVar[Norm] = "linf"
    every_member: bool = param(False, "show each what others broke")

    def members(self, classes: int) -> list[Attack]:
        return [Brighten(pixel=pixel) for pixel in range(3)]


class Brightest(nn.Module):
    """Class 1 as soon as one pixel is brighter than 0.6."""

    def forward(self, x: Tensor) -> Tensor:
        lead = x.flatten(1).amax(1) - 0.6
        return torch.stack([-lead, lead], 1)


def test_what_a_member_breaks_alone_is_known_where_each_is_shown_everything() -> None:
    # by hand: a pixel at 0.5 is broken by the member that brightens it by 0.2, one at 0.1 is not
    near = [(1, 0, 0), (1, 1, 0), (1, 1, 1), (0, 1, 0), (0, 1, 1), (0, 0, 1), (0, 0, 1), (0, 0, 0)]
    x = 0.1 + 0.4 * torch.tensor(near).float().reshape(8, 1, 1, 3)
    images = Images(x, torch.zeros(8, dtype=torch.long))
    every, first = (
        evaluate_model(Brightest(), images, Brightenings(every_member=every), grid(["0.2"]))
        for every in (True, False)
    )
    assert every.samples.equals(first.samples)
    keys = ("member", "tried", "broken", "in_all", "alone")
    assert [tuple(member[key] for key in keys) for member in every.record["members"]] == [
        ("brighten-0", 8, 3, 3, 1),
        ("brighten-1", 5, 2, 4, 1),
        ("brighten-2", 3, 2, 4, 2),
    ]
    more = every.record["cost"]["forwards"] - first.record["cost"]["forwards"]
    assert more * 8 == pytest.approx(3 + 5 + 2 + 2)  # rechecks are made in company
    assert "alone" not in first.record["members"][0]
