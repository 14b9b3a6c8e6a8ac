"""Schedules and their audit: what is attacked, what is inferred, and who looks over it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.recording.record import identify
from robustbench_cli.evaluation.scheduling.auditing import audit_size, draw_audit
from robustbench_cli.spec import build

EPSILONS = grid(ranges=["0:0.1:0.005"])
PGD = "linf-pgd:steps=5"


class Masked(nn.Module):
    """Two classes by mean brightness, whose answer large steps miss: only 0.52 to 0.56 is wrong."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.flatten(1).mean(1)
        lead = 0.02 - (mean - 0.54).abs()
        return torch.stack([-lead, lead], 1)


GREY = Images(torch.full((30, 1, 4, 4), 0.5), torch.zeros(30, dtype=torch.long))


@pytest.mark.parametrize("attack", [PGD, "linf-noise:draws=3"])
def test_bisect_finds_the_right_curve_at_a_fraction_of_the_cost(linear, attack: str) -> None:
    raw, cut = (
        evaluate_model(linear.model, linear.images, attack, EPSILONS, schedule=s, audit=0)
        for s in ("independent", "bisect")
    )
    assert cut.record["cost"]["forwards"] < raw.record["cost"]["forwards"] / 3
    if attack == PGD:
        assert (cut.correct() == raw.correct()).all().all()
    inferred = cut.samples[~cut.samples["attacked"] & (cut.samples["eps"] != "0")]
    assert len(inferred) > 0.5 * len(cut.samples)


def test_bisect_knows_both_sides_of_where_a_sample_breaks(linear) -> None:
    found = evaluate_model(linear.model, linear.images, PGD, EPSILONS, schedule="bisect", audit=0)
    right = found.samples[found.samples["clean"] == found.samples["label"]]
    for _, sample in right.groupby("index"):
        broken = (sample["prediction"] != sample["label"]).to_numpy()
        tried = sample["attacked"].to_numpy()
        assert (np.diff(broken.astype(int)) >= 0).all()
        first = int(broken.argmax()) if broken.any() else len(broken)
        assert first == len(broken) or tried[first]
        assert first == 1 or tried[first - 1]


def test_the_audit_is_part_of_the_record_and_not_of_the_rows(linear) -> None:
    without, some = (
        evaluate_model(linear.model, linear.images, PGD, EPSILONS, audit=a) for a in (0, 50)
    )
    assert without.samples.equals(some.samples)
    assert "audit" not in without.record
    audit = some.record["audit"]
    assert audit["n"] == len(audit["samples"]) == 50
    assert audit["disagreements"] == 0 and audit["verdicts"] == 50 * len(EPSILONS)
    wide = some.correct().loc[audit["samples"]]
    for entry in audit["epsilons"]:
        assert entry["right"] == "".join(str(int(r)) for r in wide[entry["eps"]])


@pytest.mark.parametrize("schedule", ["ascending", "bisect"])
@pytest.mark.parametrize("attack", ["linf-bim:steps=1", "linf-noise:draws=1"])
def test_a_rising_curve_stays_visible(schedule: str, attack: str) -> None:
    found = evaluate_model(
        Masked(), GREY, attack, grid(["0.03,0.05,0.4"]), schedule=schedule, audit=30
    )
    audit = found.record["audit"]
    accuracy = [entry["accuracy"] for entry in audit["epsilons"]]
    if attack == "linf-bim:steps=1":
        assert accuracy == [0, 0, 1]
        assert audit["disagreements"] == (30 if schedule == "ascending" else 60)
    noted = f"{audit['disagreements']} of 90 differ on 30 samples"
    assert any(noted in note for note in found.record["notes"]) == (schedule == "bisect")


def test_one_step_and_raw_curves_need_no_audit(linear) -> None:
    for attack, schedule in (("linf-fgsm", "ascending"), (PGD, "independent")):
        found = evaluate_model(
            linear.model, linear.images, attack, EPSILONS[:3], schedule=schedule, audit=50
        )
        assert "audit" not in found.record


def test_the_size_of_an_audit_and_who_is_drawn() -> None:
    assert audit_size("ascending", 10_000) == 500
    assert audit_size("bisect", 10_000) == 50
    assert audit_size("ascending", 40) == 10 and audit_size("bisect", 40) == 3
    assert audit_size("ascending", 4) == audit_size("ascending", 4, 99) == 4
    assert audit_size("once", 100) == audit_size("independent", 100, 5) == 0
    drawn = draw_audit(20, 1000, seed=1)
    assert len(set(drawn)) == 20 and (np.diff(drawn) > 0).all()
    assert (drawn == draw_audit(20, 1000, seed=1)).all()
    assert (drawn != draw_audit(20, 1000, seed=2)).any()


def test_the_schedule_and_the_audit_are_part_of_the_identity() -> None:
    attack = build(Attack, PGD)
    marks = [
        identify(attack, EPSILONS, 100, schedule=s, audit=a)
        for s in ("ascending", "bisect")
        for a in (None, 20)
    ]
    assert all(a != b for i, a in enumerate(marks) for b in marks[:i])
