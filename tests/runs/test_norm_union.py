"""Unions over norms: read from text, and joined from evaluations sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
from fake_runs import make_evaluation

from robustbench_cli.epsilon import Eps, grid
from robustbench_cli.errors import UsageError
from robustbench_cli.runs.norm_union import NormUnion, asked_for, attacks_of, join

BOTH = NormUnion.parse(["linf=0.3,l2=1"])


def test_a_norm_stands_for_its_worst_case_and_an_attack_for_itself() -> None:
    assert str(BOTH) == "linf=0.3,l2=1"
    assert [ball.attack for ball in BOTH.balls] == ["worst-case:linf", "worst-case:l2"]
    other = NormUnion.parse(["linf-pgd:steps=5,restarts=2=8/255", "l1=12"])
    assert [(b.attack, b.eps) for b in other.balls] == [
        ("linf-pgd:steps=5,restarts=2", Eps.parse("8/255")),
        ("worst-case:l1", Eps.parse("12")),
    ]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "needs a radius for each of two norms"),
        (["linf=0.3"], "needs a radius for each of two norms"),
        (["linf=0.3,0.5"], "'0.5' is no norm and radius"),
        (["linf=0.3,l2="], "'l2=' is no norm and radius"),
        (["linf=0.3,l2=x"], "'x' is no number"),
        (["linf=0.3,l2=1,linf=0.1"], "linf stands twice"),
    ],
)
def test_what_makes_no_sense_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        NormUnion.parse(texts)


def test_radii_of_norms_and_epsilons_go_to_whom_they_are_for() -> None:
    texts = ["linf=0.3,l2=1", "0.1"]
    found = asked_for(["linf-fgsm", "union"], texts)
    assert found == (BOTH,)
    assert attacks_of(["linf-fgsm", "union"], texts, (), found) == [
        ("linf-fgsm", grid(["0.1"])),
        ("worst-case:linf", grid(["0.3"])),
        ("worst-case:l2", grid(["1"])),
    ]
    with pytest.raises(UsageError, match="type -a union, too"):
        asked_for(["linf-fgsm"], texts)
    with pytest.raises(UsageError, match=r"0.1: of which norm\?"):
        attacks_of(["union"], texts, (), found)


def test_a_sample_withstands_the_union_if_it_withstands_every_ball() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(200) < 0.9
    linf, l2 = (np.where(right, rng.uniform(0.01, high, 200), 0) for high in (0.6, 2))
    parts = [
        make_evaluation(list(linf), "worst-case:linf", "linf", "0.3"),
        make_evaluation(list(l2), "worst-case:l2", "l2", "1,2"),
    ]
    (found,) = join(BOTH, parts)
    holds = (linf > 0.3), (l2 > 1)
    assert found.n == 200 and found.clean == right.sum()
    assert found.right == (holds[0] & holds[1]).sum()
    assert found.alone == ((right & ~holds[0] & holds[1]).sum(), (holds[0] & ~holds[1]).sum())
    assert found.several == (right & ~holds[0] & ~holds[1]).sum()
    assert found.right + sum(found.alone) + found.several == found.clean


def test_parts_of_other_images_networks_and_radii_are_not_joined() -> None:
    some = [0.1, 0.4, 0.5]
    linf = make_evaluation(some, "worst-case:linf", "linf", "0.3", identity={"weights": "a"})
    for other in (
        make_evaluation(some, "worst-case:l2", "l2", "1", identity={"weights": "b"}),
        make_evaluation(some[:2], "worst-case:l2", "l2", "1", identity={"weights": "a"}),
        make_evaluation(some, "worst-case:l2", "l2", "2", identity={"weights": "a"}),
        make_evaluation(some, "l2-pgd", "l2", "1", identity={"weights": "a"}),
    ):
        assert not list(join(BOTH, [linf, other]))
    fitting = make_evaluation(some, "worst-case:l2", "l2", "1", identity={"weights": "a"})
    assert len(list(join(BOTH, [linf, fitting]))) == 1


def test_two_balls_of_one_norm_are_no_union_over_norms() -> None:
    parts = [make_evaluation([0.1], name, "linf", "0.1") for name in ("linf-pgd", "linf-fgsm")]
    with pytest.raises(UsageError, match="two balls of linf"):
        list(join(NormUnion.parse(["linf-pgd=0.1,linf-fgsm=0.1"]), parts))
    pgd = [make_evaluation([0.1], f"linf-pgd:steps={n}", "linf", "0.1") for n in (5, 9)]
    with pytest.raises(UsageError, match="linf-pgd stands for linf-pgd:steps=5 and linf-pgd:steps"):
        list(join(NormUnion.parse(["linf-pgd=0.1,l2=1"]), pgd))
