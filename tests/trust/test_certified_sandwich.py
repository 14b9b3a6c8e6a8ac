"""No attack through a smoothing may break what a certificate of it vouches for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from robustbench_cli.epsilon import grid
from robustbench_cli.evaluation.recording.record import make_rows
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import build
from robustbench_cli.trust.check import Check, Evidence

GRID = grid(["0.1,0.2,0.3"])
N = 200
SMOOTHING = {"name": "smoothing", "sigma": 0.25, "n": 200, "vote": "hard"}


def rows(predictions: Any, **fixed: Any) -> Any:
    labels = torch.zeros(N, dtype=torch.long)
    columns = {"label": labels, "clean": labels, **fixed}
    shape = len(GRID), N
    varying = {"prediction": np.broadcast_to(predictions, shape).astype(int)}
    varying |= {"distance": np.full(shape, np.nan), "attacked": np.ones(shape, bool)}
    return make_rows(GRID, columns, varying)


def proof(radius: float = 0.6, sigma: float = 0.25) -> Evaluation:
    record = {"kind": "certified", "parameters": {"sigma": sigma, "alpha": 0.001, "n": 10_000}}
    samples = rows(0, radius=torch.full((N,), radius))
    return Evaluation("certify", "l2", GRID, samples, record)


def attack(broken: int, norm: str = "l2", **smoothing: Any) -> Evaluation:
    defences = [{**SMOOTHING, **smoothing}]
    predictions = np.arange(N) < broken  # the first are taken for class 1
    return Evaluation(f"{norm}-pgd", norm, GRID, rows(predictions), {"defences": defences})


def levels(first: Evaluation, second: Evaluation) -> list[str]:
    evidence = Evidence({}, {}, [first], certificates=[second])
    return [finding.level for finding in build(Check, "certified-sandwich").look(evidence)]


def test_a_broken_certificate_fails() -> None:
    (finding,) = build(Check, "certified-sandwich").look(
        Evidence({}, {}, [attack(20)], certificates=[proof()])
    )
    assert finding.level == "failure" and "20 of 200 images at eps 0.1" in finding.text


@pytest.mark.parametrize("broken", [0, 1])
def test_what_chance_explains_passes(broken: int) -> None:
    assert levels(attack(broken), proof()) == ["pass"]


def test_an_attack_on_a_class_can_break_a_certificate_but_not_confirm_it() -> None:
    aimed = [
        replace(made, samples=made.samples.assign(target=1)) for made in (attack(0), attack(20))
    ]
    assert [levels(made, proof()) for made in aimed] == [[], ["failure"]]


def test_a_certificate_of_other_weights_is_not_compared() -> None:
    made = attack(20)
    made.record["identity"] = {"weights": "aa"}
    for weights, expected in (("aa", ["failure"]), ("bb", [])):
        other = proof()
        other.record["identity"] = {"weights": weights}
        assert levels(made, other) == expected


def test_only_images_that_few_votes_cannot_lose_are_compared() -> None:
    assert levels(attack(20), proof(radius=0.09)) == []  # certified for less than any epsilon
    # votes at 0.1 are right with Φ(0.05 / 0.25) = 0.58: nine of them often are not
    assert levels(attack(20, n=9), proof(radius=0.15)) == []


@pytest.mark.parametrize("other", [{"sigma": 0.5}, {"vote": "soft"}, {"name": "noisy-inference"}])
def test_other_networks_are_not_compared(other: dict[str, Any]) -> None:
    assert levels(attack(20, **other), proof()) == []
    bare = attack(20)
    bare.record["defences"] = []
    assert levels(bare, proof()) == levels(attack(20, norm="linf"), proof()) == []


def test_an_image_that_is_certified_for_the_wrong_class_vouches_for_nothing() -> None:
    wrong = proof()
    wrong.samples["clean"] = 1
    assert levels(attack(20), wrong) == []
