"""Auto-PGD: exact on linear networks, with every loss, and as its paper has it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from foolbox.models.pytorch import PyTorchModel
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.algorithms.aiming import nearest_classes
from robustbench_cli.evaluation.algorithms.apgd import Lanes, checkpoints
from robustbench_cli.evaluation.attack import Attack, Samples
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.mixing import Mixing
from robustbench_cli.spec import build

RADII = grid(["0.01,0.02,0.03,0.05,0.08"])
QUICK = "steps=30,targets=1"


@pytest.mark.parametrize(("loss", "slack"), [("ce", 0.1), ("dlr", 0.08), ("t", 0.017)])
@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
def test_curve_of_a_linear_network(planes, loss: str, slack: float, norm: str, dual: int) -> None:
    """Only the targeted loss knows which of the other classes is nearest."""
    radii = RADII if norm == "linf" else grid(["0.04,0.08,0.12,0.2,0.3"])
    found = evaluate_model(planes.model, planes.images, f"{norm}-apgd-{loss}:steps=30", radii)
    right = [float((planes.distance(dual) > float(e)).double().mean()) for e in radii]
    assert found.accuracy()["accuracy"].tolist() == pytest.approx(right, abs=slack + 1e-9)
    assert (found.accuracy()["accuracy"] >= np.array(right) - 1e-9).all()
    assert not found.record["rejected"]


def test_two_classes_have_a_cross_entropy_and_no_ratio(linear) -> None:
    found = evaluate_model(
        linear.model, linear.images, "linf-apgd-ce:steps=20", linear.epsilons[::4]
    )
    exact = [
        float((linear.right & (linear.linf > float(eps))).double().mean())
        for eps in linear.epsilons[::4]
    ]
    assert found.accuracy()["accuracy"].tolist() == exact
    for name, least in (("linf-apgd-dlr", 3), ("l2-apgd-t", 4)):
        with pytest.raises(UsageError, match=f"{name} needs {least} classes or more"):
            evaluate_model(linear.model, linear.images, name, RADII)


def test_large_logits_stop_the_cross_entropy_and_not_the_ratio(planes) -> None:
    class Loud(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 1e4 * planes.model(x)

    weak, strong = (
        evaluate_model(Loud(), planes.images, f"linf-apgd-{loss}:steps=10", grid(["0.05"]))
        for loss in ("ce", "dlr")
    )
    assert strong.accuracy()["accuracy"][0] < 0.2 < 0.5 < weak.accuracy()["accuracy"][0]


def test_the_targeted_loss_needs_as_many_targets_as_there_are_ways_out(planes) -> None:
    one, three = (
        evaluate_model(planes.model, planes.images, f"linf-apgd-t:steps=20,targets={k}", RADII[:3])
        for k in (1, 9)
    )
    assert three.record["cost"]["backwards"] > one.record["cost"]["backwards"]
    assert (three.accuracy()["accuracy"] <= one.accuracy()["accuracy"]).all()


def test_broken_samples_leave_the_batch_at_once(planes) -> None:
    """One look is enough for a ball that reaches far beyond the boundary at any step."""
    found = evaluate_model(planes.model, planes.images, "linf-apgd-ce", grid(["0.4"]))
    assert found.accuracy()["accuracy"][0] == 0
    assert found.record["cost"]["backwards"] < 5


def test_restarts_help(cnn: nn.Module, images: Images) -> None:
    one, four = (
        evaluate_model(cnn, images, f"linf-apgd-ce:steps=1,restarts={r}", grid(["0.02"]))
        for r in (1, 4)
    )
    assert four.accuracy()["accuracy"][0] < one.accuracy()["accuracy"][0]


def test_checkpoints_are_those_of_the_paper() -> None:
    """w_j = ceil(p_j N), p_0 = 0, p_1 = 0.22, p_{j+1} = p_j + max(p_j - p_{j-1} - 0.03, 0.06)."""
    assert list(checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert all(step <= 7 for step in checkpoints(7))


def test_the_step_is_halved_where_the_loss_no_longer_rises(planes) -> None:
    samples = Samples(planes.images.x[:2], planes.images.labels[:2])
    lanes = Lanes.start(samples, samples.labels, 0.1, "linf")
    flat = torch.zeros_like(lanes.point)
    lanes.learn(torch.tensor([1.0, 1.0]), flat)
    lanes.rises.zero_()
    for value in (2.0, 3.0, 4.0, 5.0):
        lanes.learn(torch.tensor([value, 0.5]), flat)
    lanes.check(4)
    assert lanes.step.flatten().tolist() == pytest.approx([0.2, 0.1])
    assert lanes.best_value.tolist() == [5.0, 1.0]


def test_patience_gives_up_what_cannot_break_and_nothing_else(planes) -> None:
    """On a linear network the way that is left is known, and the first steps go most of it."""
    radii = grid(["0.03"])
    patient, plain = (
        evaluate_model(planes.model, planes.images, f"linf-apgd-t:{more}", radii)
        for more in ("patience=3", "patience=none")
    )
    assert patient.correct().equals(plain.correct())
    assert 0 < patient.accuracy()["accuracy"][0] < 1
    assert patient.record["cost"]["backwards"] < plain.record["cost"]["backwards"] / 2


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_where_all_are_given_up_no_empty_batch_is_shown(planes, norm: str) -> None:
    """Networks that reshape their images by hand cannot take one."""

    class ByHand(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return planes.model[1](x.view(len(x), -1))  # type: ignore[no-any-return]

    attack = f"{norm}-apgd-ce:steps=50,patience=0.01"
    found = evaluate_model(ByHand(), planes.images, attack, grid(["0.00001"]))
    assert found.accuracy()["accuracy"].tolist() == [1.0]
    assert found.record["cost"]["backwards"] < 50


def test_the_pace_decides_who_is_given_up(planes) -> None:
    samples = Samples(planes.images.x[:4], planes.images.labels[:4])
    lanes = Lanes.start(samples, samples.labels, 0.1, "linf")
    lanes.lead = torch.full((4,), 5.0)
    lanes.begin()
    lanes.lead = torch.tensor([4.0, 2.0, 5.0, 0.9])
    # at 1, 3 and 0 per ten steps, twenty more and twice the pace take off 4, 12 and 0
    assert lanes.hopeful(10, 10, 20, 2.0).tolist() == [True, True, False, True]
    lanes.checked_lead = lanes.lead
    lanes.lead = lanes.lead - torch.tensor([0.1, 0.1, 0.1, 0.0])
    # now 0.4 at most; but the last one, whose step is too large, has come 4.1 in all twenty:
    # twenty more at twice that take off 8.2, a sixth of which is more than 0.9
    assert lanes.hopeful(10, 20, 20, 2.0).tolist() == [False, False, False, True]


def test_the_nearest_class_comes_first(planes) -> None:
    """Nearest in the norm of the ball, though another class may have a larger logit."""
    model = PyTorchModel(planes.model.eval(), bounds=(0, 1), device="cpu")
    samples = Samples(planes.images.x, planes.images.labels)
    for norm, dual in (("linf", 1), ("l2", 2), ("l1", float("inf"))):
        exact = planes.leads / planes.apart.norm(p=dual, dim=2).clamp(min=1e-12)
        found = nearest_classes(model, samples, norm, 3)
        assert found.tolist() == exact.argsort(1)[:, :3].tolist()
    with torch.no_grad():
        likeliest = planes.model(planes.images.x).argsort(1, descending=True)[:, 1]
    assert (found[:, 0] != likeliest).any()


def test_one_target_breaks_more_where_it_is_the_nearest(planes) -> None:
    far, near = (
        evaluate_model(planes.model, planes.images, f"linf-apgd-t:{QUICK},order={order}", RADII[:3])
        for order in ("likeliest", "nearest")
    )
    right = [float((planes.distance(1) > float(e)).double().mean()) for e in RADII[:3]]
    assert near.accuracy()["accuracy"].tolist() == pytest.approx(right, abs=0.017 + 1e-9)
    assert near.accuracy()["accuracy"].sum() < far.accuracy()["accuracy"].sum()


def test_restarts_near_by_are_for_the_samples_just_outside_the_ball(planes) -> None:
    """On a linear network the lead falls in proportion to the radius. All of them at once."""
    shown: list[int] = []

    class Watched(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.requires_grad:
                shown.append(len(x))
            return planes.model(x)  # type: ignore[no-any-return]

    radius, near = 0.03, 0.2
    distance = planes.distance(1)
    few = int(((distance > radius) & (distance <= radius * (1 + near))).sum())
    attack = f"linf-apgd-t:steps=10,targets=3,restarts=3,near={near}"
    found = evaluate_model(Watched(), planes.images, attack, grid([str(radius)]), audit=0)
    assert found.correct().to_numpy().sum() == int((distance > radius).sum())
    assert few and shown[-10:] == [2 * 3 * few] * 10


def test_samples_far_off_are_aimed_at_three_classes_and_the_others_at_all() -> None:
    """A pixel is a logit, so the lead falls by two radii. The second and the third class at once,
    and so all others, in batches as large as the first."""
    shown: list[int] = []

    def pixels(x: Tensor) -> Tensor:
        if x.requires_grad:
            shown.append(len(x))
        return x.flatten(1)

    x = torch.full((12, 1, 2, 4), 0.3)
    x[:4, 0, 0, 0], x[4:8, 0, 0, 0], x[8:, 0, 0, 0] = 0.38, 0.42, 0.5  # leads by 0.08, 0.12, 0.2
    attack = build(Attack, "linf-apgd-t:steps=10,far=0.5")
    samples = Samples(x, torch.zeros(12, dtype=torch.long))
    found = attack.craft(pixels, samples, 0.05)  # type: ignore[arg-type]
    assert found.claimed is not None
    assert found.claimed.tolist() == [True] * 4 + [False] * 8
    second_and_third, the_others = [12] * 10 + [4] * 10, [12] * 10 + [4] * 10
    assert shown[-40:] == second_and_third + the_others  # of 8 samples each two, of 4 each four


def test_classes_are_counted_once_and_ranked_once(planes) -> None:
    """Of one image, and of all; what follows are steps."""
    shown: list[int] = []

    def watched(x: Tensor) -> Tensor:
        shown.append(len(x))
        return planes.model(x)  # type: ignore[no-any-return]

    attack = build(Attack, "linf-apgd-t:targets=2,restarts=2")
    samples = Samples(planes.images.x[:5], planes.images.labels[:5])
    assert isinstance(attack, Mixing)
    aims = attack.aims_of(watched, samples)  # type: ignore[arg-type]
    assert shown == [1, 5]
    assert aims.shape == (5, 2 * 2) and not (aims == samples.labels[:, None]).any()
    assert torch.equal(aims[:, :2], aims[:, 2:])


def test_what_is_for_those_that_are_not_far_off_are_targets_and_no_restarts() -> None:
    """Every start has three targets for all; one and the same target is never far off."""
    several = build(Attack, "linf-apgd-t:restarts=2,targets=5,far=0.5")
    single = build(Attack, "linf-apgd-t:restarts=5,targets=1,far=0.5")
    assert isinstance(several, Mixing) and isinstance(single, Mixing)
    found = [([*tries], near) for tries, near in several.rounds(10)]
    first = [([0], None), ([1, 2], None), ([3, 4], 0.5)]
    assert found == [*first, ([5], None), ([6, 7], None), ([8, 9], 0.5)]
    assert single.rounds(5) == [((number,), None) for number in range(5)]
