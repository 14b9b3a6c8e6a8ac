"""Which epsilons a card takes, and what is done at them."""

from __future__ import annotations

import pytest

from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.referee.protocol import FULL, LEVELS, NORMS, threats_for
from robustbench_cli.spec import build


def found(data: str, *asked: str) -> dict[str, str]:
    return {threat.norm: threat.eps.text for threat in threats_for(asked, data)}


def test_epsilons_are_those_that_papers_compare_at() -> None:
    assert found("mnist") == {"linf": "0.3", "l2": "2"}
    assert found("cifar10") == {"linf": "8/255", "l2": "0.5"}
    assert found("fashion-mnist") == {"linf": "0.1"}, "no paper agrees on one in L2"
    (threat,) = threats_for(["linf"], "mnist")
    assert threat.why == "usual for mnist: Madry et al. 2018, arXiv:1706.06083"
    assert threats_for((), "digits")[0].why == "usual here; papers have none"


def test_others_are_taken_as_typed() -> None:
    assert found("mnist", "l2=1.5", "linf") == {"l2": "1.5", "linf": "0.3"}
    assert threats_for(["linf=4/255"], "cifar10")[0].why == "as asked"
    assert found("folder:x", "linf=4/255") == {"linf": "4/255"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "at which epsilon? no paper compares networks on folder; type --norm linf=8/255"),
        (["linf"], "no linf epsilon is usual for folder; type --norm linf=EPS"),
        (["l3=1"], "no norm 'l3'; type linf, l2, l1, l0"),
        (["linf=0.1", "linf=0.2"], "--norm linf stands there twice"),
        (["linf=0"], "at epsilon 0 nothing may change"),
        (["linf=-1"], "epsilon -1 is negative"),
        (["linf=x"], "x"),
    ],
)
def test_the_rest_is_asked_in_a_line(asked: list[str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        threats_for(asked, "folder:x")
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("norm", NORMS)
def test_every_attack_is_of_its_norm(norm: str) -> None:
    for level in LEVELS:
        specs = level.attacks(norm)
        assert {build(Attack, spec).norm for spec in specs.values()} == {norm}
        assert list(specs)[-1] == "worst case"
    assert FULL.attacks("linf") == {
        "noise": "linf-noise",
        "one step": "linf-fgsm",
        "PGD": "linf-pgd:steps=50,restarts=10",
        "worst case": "worst-case:linf",
    }


def test_what_is_weaker_is_named() -> None:
    assert LEVELS[0].weaker() == [
        "PGD (steps=20, restarts=1; full: steps=50, restarts=10)",
        "worst case (steps=20, targets=3, queries=300; full: steps=100, targets=9, queries=5000)",
        "noise (draws=20; full: draws=100)",
        "checks (quick; full: full)",
    ]
