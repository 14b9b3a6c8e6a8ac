"""Attacks are compared with those that pursue the same goal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from robustbench_cli.epsilon import Eps
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.trust.check import Check, Evidence
from robustbench_cli.trust.checks.black_box_beats_white_box import BlackBoxBeatsWhiteBox
from robustbench_cli.trust.checks.one_step_beats_iterative import OneStepBeatsIterative


def attacked(attack: str, broken: int, goal: int | None = None, **record: object) -> Evaluation:
    """50 images of class 0, of which the first `broken` fall at 0.1; `goal`: the class aimed at."""
    rows = {
        "index": np.arange(50),
        "label": 0,
        "clean": 0,
        "eps": "0.1",
        "prediction": (np.arange(50) < broken).astype(int),
        "distance": np.where(np.arange(50) < broken, 0.1, np.nan),
        "attacked": True,
    }
    aimed = {} if goal is None else {"target": goal}
    samples = pd.DataFrame({**rows, **aimed})
    told = {"identity": {"attack": attack}, "access": "gradient", **record}
    return Evaluation(attack, "linf", (Eps.parse("0.1"),), samples, told)


def levels(check: Check, *evaluations: Evaluation) -> list[str]:
    return [finding.level for finding in check.look(Evidence({}, {}, evaluations))]


@pytest.mark.parametrize(
    ("one", "many", "expected"),
    [
        (None, None, ["failure"]),
        (3, 3, ["failure"]),
        (None, 3, []),  # to reach class 3 is harder than to leave class 0
        (1, 3, []),
    ],
)
def test_one_step_is_compared_with_what_has_its_goal(
    one: int | None, many: int | None, expected: list[str]
) -> None:
    fgsm = attacked("linf-fgsm", 40, one, one_step=True)
    assert levels(OneStepBeatsIterative(), fgsm, attacked("linf-pgd", 10, many)) == expected


def test_a_black_box_does_not_beat_a_white_box_that_aims_elsewhere() -> None:
    square = attacked("linf-square", 40, access="scores")
    assert levels(BlackBoxBeatsWhiteBox(), square, attacked("linf-pgd", 10)) == ["failure"]
    assert levels(BlackBoxBeatsWhiteBox(), square, attacked("linf-pgd", 10, goal=3)) == []
