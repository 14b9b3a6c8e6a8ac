"""The worst case: a union per sample, in one norm, each member seeing what is left."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.signal import passes
from robustbench_cli.spec import build

QUICK = "worst-case:steps=5,queries=20"
RADII = grid(["0.01,0.03"])


def test_it_is_linf_unless_told_otherwise() -> None:
    attack = build(Attack, "worst-case")
    assert attack.norm == "linf" and build(Attack, "worst-case:l2").norm == "l2"
    assert build(Attack, str(attack)) == attack
    for norm in ("linf", "l2"):
        members = build(Attack, f"worst-case:norm={norm}").members(classes=10)
        assert {member.norm for member in members} == {norm}
        assert {"gradient", "scores"} == {member.access for member in members}
    with pytest.raises(UsageError, match="norm is one of linf, l2, l1, l0"):
        build(Attack, "worst-case:l3")


def test_with_two_classes_the_margin_stands_for_the_targeted_ratio(linear) -> None:
    attack = build(Attack, QUICK)
    assert [m.name for m in attack.members(3)][2] == "linf-pgd-margin"
    found = evaluate_model(linear.model, linear.images, attack, linear.epsilons[::5])
    exact = [
        float((linear.right & (linear.linf > float(e))).double().mean())
        for e in linear.epsilons[::5]
    ]
    assert found.accuracy()["accuracy"].tolist() == exact


def test_no_member_breaks_what_the_union_does_not(cnn: nn.Module, images: Images) -> None:
    union = evaluate_model(cnn, images, QUICK, RADII).correct()
    for member in build(Attack, QUICK).members(4):
        if member.name in ("linf-fgsm", "linf-apgd-t", "linf-fmn"):  # what needs no luck
            alone = evaluate_model(cnn, images, member, RADII).correct()
            assert (union <= alone).to_numpy().mean() > 0.98


def test_what_an_early_member_breaks_later_ones_do_not_see(planes) -> None:
    near, far = (
        evaluate_model(planes.model, planes.images, QUICK, grid([eps])) for eps in ("0.5", "0.001")
    )
    assert near.accuracy()["accuracy"][0] == 0
    assert near.record["cost"]["forwards"] < 6
    members = 1 + 5 + 3 + 3 * 5  # the targets are compared by three gradients
    assert far.record["cost"]["backwards"] == pytest.approx(members, rel=0.1)


def test_square_sees_where_gradients_are_blind() -> None:
    class Steps(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            lead = (x.flatten(1).mean(1) * 64).round() - 32
            return torch.stack([-lead, lead + 0.5, lead - 9, lead - 9], 1)

    grey = Images(torch.full((10, 1, 8, 8), 0.45), torch.zeros(10, dtype=torch.long))
    found = evaluate_model(Steps(), grey, "worst-case:steps=3,queries=300", grid(["0.2"]))
    assert found.accuracy()["accuracy"][0] == 0


def test_passes_are_those_of_its_members() -> None:
    patient, plain = (build(Attack, f"worst-case:patience={p}") for p in ("3", "none"))
    assert passes(plain) == 2 * 100 + 2 * 100 * (1 + 3) + 5000  # other targets are for few
    assert passes(patient) == passes(plain) // 4
    assert passes(build(Attack, "worst-case:l0")) == 2 * 2 * 100


@pytest.mark.parametrize(("norm", "eps"), [("l1", "0.5"), ("l0", "3")])
def test_other_norms_have_members_of_their_own(planes, norm: str, eps: str) -> None:
    spec = f"worst-case:{norm},steps=10,queries=20"
    found = evaluate_model(planes.model, planes.images[:10], spec, grid([eps]))
    broken = found.samples[found.samples["member"] != ""]
    assert len(broken) and broken["member"].str.startswith(f"{norm}-").all()
    assert (broken["distance"] <= float(eps) * (1 + 1e-6)).all()


def test_every_member_is_shown_everything_also_where_early_ones_leave_nothing(planes) -> None:
    spec, radius = f"{QUICK},every-member=true", grid(["0.5"])
    found = evaluate_model(planes.model, planes.images[:10], spec, radius, audit=0)
    members = {member["member"]: member for member in found.record["members"]}
    assert [m.name for m in build(Attack, QUICK).members(4)] == list(members)
    fgsm, *others = members.values()
    assert fgsm["broken"] == fgsm["in_all"] and not any(m["tried"] for m in others)
    assert members["linf-apgd-ce"]["in_all"] == fgsm["broken"] and fgsm["alone"] == 0
    for key in ("forwards", "backwards"):
        whole = sum(member[key] for member in members.values())
        assert whole == pytest.approx(found.record["cost"][key] * 10, abs=1)


def test_members_that_draw_have_restarts_for_what_nearly_broke() -> None:
    fgsm, *drawing = build(Attack, "worst-case:restarts=4,near=0.2").members(10)
    assert fgsm.name == "linf-fgsm" and len(drawing) == 3
    for member in drawing:
        assert (member.settings["restarts"], member.settings["near"]) == (4, 0.2)


def test_fab_has_its_steps_however_few_the_others_take() -> None:
    for norm in ("l2", "l1"):
        members = build(Attack, f"worst-case:{norm},steps=20,targets=3").members(classes=10)
        steps = {member.name: member.settings.get("steps") for member in members}
        assert steps[f"{norm}-fab"] == 200 and steps[f"{norm}-apgd-ce"] == 20
    names = [member.name for member in build(Attack, "worst-case").members(classes=10)]
    assert names == ["linf-fgsm", "linf-apgd-ce", "linf-apgd-t", "linf-square"]
