"""Counted passes times the time of one: held against what evaluations count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import Eps
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.measure import measure
from robustbench_cli.referee.pilot import Glance, Pilot, look
from robustbench_cli.referee.plan import Ask, Plan
from robustbench_cli.referee.price import (
    attack_seconds,
    corruption_seconds,
    network_seconds,
    transfer_seconds,
)
from robustbench_cli.referee.protocol import LEVELS
from robustbench_cli.reporting.card.parts import PGD, STEP, WORST, Threat

QUICK = LEVELS[0]
N = 40


@pytest.fixture(scope="module")
def images() -> Images:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(N, 1, 4, 4, generator=generator)
    return Images(pixels, (pixels.flatten(1).mean(1) > 0.5).long())


class Far(nn.Module):
    """Right on all images, and so sure of it that nothing near changes its mind."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lead = x.flatten(1).mean(1) - 0.5
        return torch.stack([-100 * lead, 100 * lead], 1)


def withstood(**of: float) -> Pilot:
    """Where a pass takes a second, and everything withstands."""
    glance = Glance(gradient=1, blind=1, left=1, lent=1, signals={})
    return Pilot(N, 1, 2, of.get("corrupting", 0), {"linf": glance}, 0)


@pytest.mark.parametrize(("role", "spec"), [(STEP, "linf-fgsm"), (PGD, "linf-pgd:steps=20")])
def test_an_attack_costs_what_it_counts(role: str, spec: str, images: Images) -> None:
    told = attack_seconds(role, spec, QUICK, withstood(), "linf", N)
    found = evaluate_model(Far(), images, spec, [Eps.parse("0.0001")], audit=0)
    assert found.accuracy()["accuracy"].iloc[0] == 1
    cost = found.record["cost"]
    spent = N * (cost["forwards"] + cost["backwards"] + 1)  # and a look at unchanged images
    assert told == pytest.approx(1.1 * spent, rel=0.1), "with a tenth for quick checks"


def test_a_short_worst_case_knows_little_patience(images: Images) -> None:
    spec = QUICK.attacks("linf")[WORST]
    told = attack_seconds(WORST, spec, QUICK, withstood(), "linf", N)
    found = evaluate_model(Far(), images, spec, [Eps.parse("0.0001")], audit=0)
    cost = found.record["cost"]
    spent = N * (cost["forwards"] + cost["backwards"] + 1)
    assert told == pytest.approx(1.1 * spent, rel=0.2)


def test_a_transfer_costs_the_whole_attack_for_everyone() -> None:
    assert transfer_seconds("linf-pgd:steps=20", withstood(), "linf", 10) == 10 * (40 + 2)


def test_corruptions_cost_a_pass_and_their_making() -> None:
    assert corruption_seconds(withstood(corrupting=3), 10) == 10 * 75 * (1 + 3)


def test_full_checks_cost_each_attack_its_own_and_the_network_once(images: Images) -> None:
    threat, light = Threat("linf", Eps.parse("0.0001"), ""), LEVELS[1]
    pilot = look(Far(), images, [threat], corrupted=False)
    glance = replace(pilot.glances["linf"], gradient=1, blind=1)
    pilot = replace(pilot, glances={"linf": glance})
    plan = Plan(Ask(Path("nowhere"), (threat,)), pilot, light, N, N, corrupted="", pictured=False)
    own = [attack_seconds(t.role, t.spec, light, pilot, "linf", N) for t in plan.tasks]
    told = [t.seconds for t in plan.tasks]
    once = told[0] - own[0]
    # answers, gradients, input-scale and loss-jumps on all images; forward-pass on sixteen
    assert once == N * (3 + 4 + 4 + 101) + 16 and told[1:] == own[1:]
    assert plan.seconds == sum(own) + once
    quick = replace(plan, level=QUICK)
    spent = [attack_seconds(t.role, t.spec, QUICK, pilot, "linf", N) for t in quick.tasks]
    assert [t.seconds for t in quick.tasks] == spent


def test_what_full_checks_measure_once_costs_what_it_counts(images: Images) -> None:
    """By what the network is shown beside an attack that has no signals of its own."""
    seen = []

    class Counted(Far):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(len(x))
            return super().forward(x)

    threat = Threat("linf", Eps.parse("0.0001"), "")
    pilot = look(Far(), images, [threat], corrupted=False)
    pilot = replace(pilot, glances={"linf": replace(pilot.glances["linf"], gradient=1, blind=1)})
    found = evaluate_model(Far(), images, "linf-fgsm", [threat.eps])
    measure(Counted(), images, found, "full")
    backwards = 2 * N  # of gradients, which nothing shows
    told = network_seconds("linf-fgsm", LEVELS[1], pilot, "linf", N)
    assert told == sum(seen) + backwards


def test_what_breaks_early_costs_little() -> None:
    pilot = withstood()
    fragile = replace(pilot, glances={"linf": replace(pilot.glances["linf"], left=0.0)})
    whole = attack_seconds(WORST, "worst-case:linf", QUICK, pilot, "linf", N)
    assert attack_seconds(WORST, "worst-case:linf", QUICK, fragile, "linf", N) < whole / 5
    full = attack_seconds(WORST, "worst-case:linf", LEVELS[-1], pilot, "linf", N)
    assert full < whole / 3, "patience gives up most of the longest attacks early"


def test_a_look_tells_what_withstands_and_counts_as_the_signals_do(images: Images) -> None:
    threat = Threat("linf", Eps.parse("0.0001"), "")
    pilot = look(Far(), images, [threat], source=Far(), corrupted=False)
    glance = pilot.glances["linf"]
    assert (pilot.n, pilot.clean, pilot.classes, glance.left) == (N, 1, 2, 1)
    assert min(glance.gradient, glance.blind, glance.lent) > 0
    full = glance.signals["linf-pgd:steps=50,restarts=10"]
    assert full["rivals"] == 1500 and full["convergence"] == 2 * 2 * 50 * 10
    assert Pilot.read({**vars(pilot), "glances": {"linf": vars(glance)}}) == pilot
