"""Two evaluations are compared only where nothing but the attack differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from robustbench_cli.epsilon import Eps
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import build
from robustbench_cli.trust.check import Check, Evidence, Finding
from robustbench_cli.trust.comparing import accuracies, comparable

EPS = Eps.parse("0.1")
KNOWN = {"view": "deployed", "weights": "aa"}


def attacked(
    broken: int = 10,
    attack: str = "linf-pgd",
    samples: range = range(50),
    identity: dict[str, Any] | None = None,
    **record: Any,
) -> Evaluation:
    """Images of class 0, of which those numbered below `broken` fall at 0.1."""
    index = np.arange(samples.start, samples.stop)
    rows = pd.DataFrame(
        {
            "index": index,
            "label": 0,
            "clean": 0,
            "eps": EPS.text,
            "prediction": (index < broken).astype(int),
            "distance": np.nan,
            "attacked": True,
        }
    )
    told = {"access": "gradient", "identity": {**KNOWN, **(identity or {})}, **record}
    return Evaluation(attack, "linf", (EPS,), rows, told)


def aimed(evaluation: Evaluation, at: int) -> Evaluation:
    return replace(evaluation, samples=evaluation.samples.assign(target=at))


OTHERS = {
    "norm": replace(attacked(), norm="l2"),
    "view": attacked(identity={"view": "bare"}),
    "defence": attacked(identity={"defence": "jpeg"}),
    "weights": attacked(identity={"weights": "bb"}),
    "rounding": attacked(identity={"eight_bit": True}),
    "samples": attacked(samples=range(50, 100)),
    "goal": aimed(attacked(), 3),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_differs_in_more_than_the_attack_is_not_compared(what: str) -> None:
    assert not comparable(attacked(), OTHERS[what]) and not comparable(OTHERS[what], attacked())


def test_the_rest_is_compared() -> None:
    assert comparable(attacked(), attacked(attack="linf-fgsm", samples=range(30)))
    assert comparable(aimed(attacked(), 3), aimed(attacked(20), 3))
    assert comparable(attacked(), attacked(identity={"weights": None}))  # nobody said
    shown = {"source": "other", "target": "this"}
    own, old = ({"weights": {"other": "cc", "this": weights}} for weights in ("aa", "bb"))
    assert comparable(attacked(), attacked(identity=own, **shown))
    assert not comparable(attacked(), attacked(identity=old, **shown))


def test_accuracies_are_those_on_the_samples_that_both_have() -> None:
    """The first 10 of 50 fall, which is all of the first 10."""
    whole, part = attacked(10), attacked(5, samples=range(10))
    assert accuracies(whole, part, EPS) == (1.0, 0.0, 0.5)
    assert accuracies(whole, attacked(20), EPS) == (1.0, 0.8, 0.6)


def look(name: str, *evaluations: Evaluation, method: str = "plain") -> list[Finding]:
    evidence = Evidence({"method": method}, {}, evaluations)
    return list(build(Check, name).look(evidence))


SQUARE = attacked(40, "linf-square", access="scores")
FGSM = attacked(10, "linf-fgsm", one_step=True)
HASTY = attacked(20, "linf-pgd:steps=3", parameters={"steps": 3})


@pytest.mark.parametrize(
    ("evaluations", "levels"),
    [
        ([SQUARE, FGSM], []),  # it spends a thousand times as much
        ([SQUARE, HASTY], []),
        ([SQUARE, FGSM, attacked(20)], ["failure"]),
        ([SQUARE, attacked(40, "linf-fgsm", one_step=True), attacked(20)], ["pass"]),
        ([attacked(40, "linf-noise", access="none"), FGSM], ["failure"]),  # it spends nothing
        ([attacked(40, access="none", parameters={"attack": "linf-pgd"}), FGSM], []),  # a transfer
    ],
)
def test_a_black_box_beats_only_what_could_have_kept_up(
    evaluations: list[Evaluation], levels: list[str]
) -> None:
    found = look("black-box-beats-white-box", *evaluations)
    assert [finding.level for finding in found] == levels


@pytest.mark.parametrize(
    ("convergence", "level"),
    [
        ({"tried": 40, "broken": 4}, "failure"),  # of 40, noise breaks 8
        ({"tried": 10, "broken": 2}, "pass"),  # as many of them, among fewer
        ({"tried": 40, "broken": 8}, "pass"),
    ],
)
def test_rivals_and_the_attack_itself_are_compared_on_as_many_samples(
    convergence: dict[str, int], level: str
) -> None:
    rivals = {"eps": "0.1", "tried": 40, "noise": 8, "n": 200}
    signals = {"rivals": rivals, "convergence": {"attack": "linf-pgd:steps=80", **convergence}}
    (finding,) = look("black-box-beats-white-box", attacked(signals=signals))
    assert finding.level == level


def test_an_attack_on_a_class_is_no_second_opinion() -> None:
    bim, pgd = attacked(attack="linf-bim"), attacked()
    assert [f.level for f in look("near-duplicates", bim, pgd)] == ["warning"]
    assert look("near-duplicates", bim, aimed(pgd, 3)) == []
    fmn = attacked(attack="linf-fmn")
    assert [f.level for f in look("training-attack-only", pgd, fmn, method="pgd-at")] == ["pass"]
    only = look("training-attack-only", pgd, aimed(fmn, 3), method="pgd-at")
    assert [f.level for f in only] == ["warning"]
