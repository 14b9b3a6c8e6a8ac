"""Each check has a planted fault that makes it fire, and is silent on honest evidence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_runs import draw, make_evaluation

from robustbench_cli.evaluation.check import Check, Evidence, Finding, examine, verdict
from robustbench_cli.results import Evaluation
from robustbench_cli.spec import build, names

FACTS = {"classes": [str(c) for c in range(10)]}
DISTANCES = draw(0.95, 0.2, n=400)


def evaluation(
    attack: str, distances: Any = DISTANCES, norm: str = "linf", **record: Any
) -> Evaluation:
    settings = {"kind": "budget", "one_step": False, "access": "gradient", "schedule": "ascending"}
    return make_evaluation(distances, attack, norm, **{**settings, **record})


def fgsm(distances: Any = DISTANCES * 1.2) -> Evaluation:
    return evaluation("linf-fgsm", distances, one_step=True, schedule="independent")


def pgd(distances: Any = DISTANCES, **parameters: Any) -> Evaluation:
    given = {"steps": 40, "step-size": None, **parameters}
    return evaluation("linf-pgd", distances, parameters=given)


def noise(distances: Any = DISTANCES * 3) -> Evaluation:
    return evaluation("linf-noise", distances, access="none")


def levels(name: str, *evaluations: Evaluation, method: str = "plain") -> list[str]:
    found = build(Check, name).look(Evidence({"method": method}, FACTS, evaluations))
    return [finding.level for finding in found]


def rising() -> Evaluation:
    """A raw curve on which everything broken up to 0.3 is right again at 0.4."""
    raw = fgsm()
    again = raw.samples["eps"] == "0.4"
    raw.samples.loc[again, "prediction"] = raw.samples.loc[again, "clean"]
    return raw


def collapsed() -> Evaluation:
    made = pgd()
    made.samples["clean"] = 3
    return made


FAULTS = {
    "rising-curve": (rising(),),
    "one-step-beats-iterative": (fgsm(DISTANCES * 0.7), pgd()),
    "black-box-beats-white-box": (noise(DISTANCES * 0.7), pgd(), fgsm()),
    "cannot-cross-ball": (pgd(**{"step-size": 0.01}),),
    "near-chance": (collapsed(),),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_makes_the_check_fire(name: str) -> None:
    assert set(levels(name, *FAULTS[name])) & {"warning", "failure"}


def test_only_the_attack_of_its_own_training_is_not_enough() -> None:
    assert levels("training-attack-only", pgd(), fgsm(), method="mixup+pgd-at") == ["warning"]
    boundary = evaluation("l2-boundary", norm="l2", access="decision", kind="minimal")
    assert levels("training-attack-only", pgd(), boundary, method="pgd-at") == ["pass"]
    assert levels("training-attack-only", pgd(), method="plain") == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", names("checks"))
def test_honest_evidence_passes(name: str, seed: int) -> None:
    distances = draw(0.95, 0.2, n=400, seed=seed)
    honest = fgsm(distances * 1.2), pgd(distances), noise(distances * 3)
    assert set(levels(name, *honest)) <= {"pass"}


@pytest.mark.parametrize("name", names("checks"))
def test_no_evidence_no_finding(name: str) -> None:
    assert levels(name) == []


def test_clean_accuracy_at_chance_fails() -> None:
    rng = np.random.default_rng(0)
    assert levels("near-chance", pgd(np.where(rng.random(400) < 0.1, 0.2, 0.0))) == ["failure"]


def test_a_step_longer_than_the_smallest_ball_is_named() -> None:
    (finding,) = build(Check, "cannot-cross-ball").look(
        Evidence({}, FACTS, [pgd(steps=100, **{"step-size": 0.2})])
    )
    assert finding.level == "warning" and "longer than eps 0.1" in finding.text


def test_norms_are_never_compared() -> None:
    l2 = evaluation("l2-boundary", DISTANCES * 0.5, "l2", access="decision", kind="minimal")
    assert levels("black-box-beats-white-box", l2, pgd()) == []


def test_the_verdict_names_the_worst() -> None:
    evidence = Evidence({"method": "pgd-at"}, FACTS, [fgsm(DISTANCES * 0.7), pgd()])
    found = examine(evidence)
    assert found[0].level == "failure" and "do not trust" in verdict(found)
    assert verdict([Finding("x", "pass", "")]) == "Checks: 1 passed."
    assert "nothing to check" in verdict([])
