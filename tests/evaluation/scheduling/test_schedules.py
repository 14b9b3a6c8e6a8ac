"""Schedules and their audit: what is attacked, what is inferred, and who looks over it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.recording.outcomes import Outcome, Outcomes
from robustbench_cli.evaluation.recording.record import identify
from robustbench_cli.evaluation.scheduling.auditing import audit_size, draw_audit
from robustbench_cli.evaluation.scheduling.schedules import Bisect
from robustbench_cli.progress import Progress
from robustbench_cli.runs.evaluation import Evaluation
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
        evaluate_model(linear.model, linear.images, PGD, EPSILONS, schedule="ascending", audit=a)
        for a in (0, 50)
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


def test_auto_bisects_where_its_audit_agrees(linear) -> None:
    auto, raw = (
        evaluate_model(linear.model, linear.images, PGD, EPSILONS, schedule=s)
        for s in ("auto", "independent")
    )
    assert auto.record["schedule"] == "bisect" and auto.record["audit"]["disagreements"] == 0
    assert auto.correct().equals(raw.correct())
    assert auto.record["cost"]["forwards"] < raw.record["cost"]["forwards"] / 2
    assert not auto.record["notes"]


def test_auto_attacks_in_ascending_order_where_its_audit_disagrees() -> None:
    """At 0.4 the attack flies over what it finds at 0.03: bisection would call all withstood."""
    auto, ascending, bisect = (
        evaluate_model(
            Masked(), GREY, "linf-bim:steps=1", grid(["0.03,0.05,0.4"]), schedule=s, audit=10
        )
        for s in ("auto", "ascending", "bisect")
    )
    assert bisect.accuracy()["accuracy"].iloc[-1] == 1
    assert auto.samples.equals(ascending.samples) and auto.record["schedule"] == "ascending"
    spent = bisect.record["cost"]["forwards"] + ascending.record["cost"]["forwards"]
    assert auto.record["cost"]["forwards"] == pytest.approx(spent)
    assert any("20 of 30 audited verdicts" in note for note in auto.record["notes"])


def test_a_killed_auto_goes_on_from_both_of_its_orders(tmp_path: Path) -> None:
    def attack(progress: Progress | None = None) -> Evaluation:
        return evaluate_model(
            Masked(),
            Images(torch.full((600, 1, 4, 4), 0.5), torch.zeros(600, dtype=torch.long)),
            "linf-bim:steps=1",
            grid(["0.03,0.05,0.4"]),
            parts=tmp_path,
            progress=progress,
        )

    def kill_in_the_second_order(done: int, of: int, moment: object) -> None:
        if list(tmp_path.glob("ascending/chunk-*")):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attack(kill_in_the_second_order)
    chunks = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("chunk-*.json")}
    found = attack()
    assert len(chunks) == 3 and all(p.stat().st_mtime_ns == t for p, t in chunks.items())
    assert found.samples.equals(attack().samples) and found.record["schedule"] == "ascending"


def test_auto_infers_nothing_of_a_network_that_draws_random_numbers() -> None:
    class Noisy(Masked):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 1e-3 * torch.randn(len(x), 2)

    found = evaluate_model(Noisy(), GREY, PGD, EPSILONS[:4])
    assert found.record["schedule"] == "ascending"


def test_auto_infers_nothing_without_an_audit(linear) -> None:
    found = evaluate_model(linear.model, linear.images, PGD, EPSILONS[:4], audit=0)
    assert found.record["schedule"] == "ascending"


def test_auto_has_nothing_to_choose_at_a_single_epsilon() -> None:
    attack = build(Attack, PGD)
    one, two = grid(["0,0.1"]), grid(["0,0.1,0.2"])
    assert identify(attack, one, 100) == identify(attack, one, 100, schedule="ascending")
    assert identify(attack, two, 100)["schedule"] == "auto"


def test_what_a_warm_start_alone_withstood_is_tried_from_a_start_of_its_own() -> None:
    """Each task is told whether it was broken; the interval ends only on a cold start."""
    plan = SimpleNamespace(attack=build(Attack, PGD), epsilons=grid(["0,0.1,0.2,0.3,0.4"]))
    chunk = SimpleNamespace(plan=plan, first=0)
    order = Bisect(chunk, [1, 2, 3, 4], Outcomes.unattacked(np.zeros(1, int), 5))
    image, asked = torch.zeros(1), []
    tasks = order.begin(0)
    while tasks:
        (task,) = tasks
        cold = task.start is None
        asked.append((task.row, cold))
        broken = task.row == 4 or (task.row == 3 and cold)
        tasks = order.told(task, Outcome(broken, int(broken), 0.1, image if broken else None))
    assert asked == [(4, True), (3, False), (3, True), (2, False), (2, True)]


@pytest.mark.parametrize(
    ("attack", "rows"),
    [
        (PGD, [16, 12, 9, 7, 6, 5]),
        ("worst-case", [16, 12, 9, 7, 6, 5]),
        ("eot:attack=linf-apgd-ce", [16, 12, 9, 7, 6, 5]),
        ("linf-noise", [16, 8, 4, 6, 5]),
        ("eot:attack=linf-pgd", [16, 8, 4, 6, 5]),
    ],
)
def test_the_interval_is_cut_in_the_middle_where_a_broken_ball_costs_as_much(
    attack: str, rows: list[int]
) -> None:
    """A sample that breaks from the sixth of sixteen balls on."""
    plan = SimpleNamespace(attack=build(Attack, attack), epsilons=grid(ranges=["0:0.32:0.02"]))
    order = Bisect(
        SimpleNamespace(plan=plan, first=0), range(1, 17), Outcomes.unattacked(np.zeros(1, int), 17)
    )
    asked, tasks = [], order.begin(0)
    while tasks:
        (task,) = tasks
        asked.append(task.row)
        tasks = order.told(task, Outcome(task.row >= 6))
    assert asked == rows


def test_one_step_and_raw_curves_need_no_audit(linear) -> None:
    for attack, schedule in (("linf-fgsm", "ascending"), (PGD, "independent")):
        found = evaluate_model(
            linear.model, linear.images, attack, EPSILONS[:3], schedule=schedule, audit=50
        )
        assert "audit" not in found.record


def test_the_size_of_an_audit_and_who_is_drawn() -> None:
    assert audit_size("ascending", 10_000) == 500
    assert audit_size("bisect", 10_000) == 50
    assert audit_size("auto", 10_000) == 250 and audit_size("auto", 40) == 10
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
