"""Lengths meant for pixels of 0..255 are refused wherever a plugin is built."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import make_run

from robustbench_cli.analysis.analysis import Analysis
from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.jobs.attack_config import make_attack_config
from robustbench_cli.jobs.inputs import open_images
from robustbench_cli.jobs.job import Where
from robustbench_cli.spec import Plugin, build
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.pgd_at import PGDTraining

AT = ("pgd-at", "fgsm-at", "fast-at", "free-at", "trades", "mart", "iat", "advprop", "avm")


@pytest.mark.parametrize("name", AT)
def test_a_radius_of_eight_is_refused_and_eight_of_255_is_not(name: str) -> None:
    with pytest.raises(UsageError, match=r"eps=8 is outside \[0, 1\].*did you mean 8/255\?"):
        build(Method, f"{name}:eps=8")
    build(Method, f"{name}:eps=8/255")


@pytest.mark.parametrize(
    ("spec", "guess"),
    [
        ("pgd-at:norm=l2,eps=128", "128/255"),
        ("pgd-at:eps=0.1,step-size=2", "2/255"),
        ("noise:sigma=64", "64/255"),
        ("smoothing:sigma=64", "64/255"),
    ],
)
def test_so_is_every_other_length(spec: str, guess: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {guess}"):
        build(Method, spec)


def test_python_and_attacks_meet_the_same_check() -> None:
    with pytest.raises(UsageError, match="did you mean 8/255"):
        PGDTraining(eps=8)
    with pytest.raises(UsageError, match="did you mean 2/255"):
        build(Attack, "linf-pgd:step-size=2")


def test_two_is_a_length_in_l2() -> None:
    build(Method, "pgd-at:norm=l2,eps=2")
    build(Attack, "l2-pgd:step-size=2")


@pytest.mark.parametrize(
    ("room", "spec", "guess"),
    [
        (Attack, "linf-fmn:step-size=64", "64/255"),
        (Attack, "l2-ddn:first=128", "128/255"),
        (Analysis, "church-window:eps=8", "8/255"),
        (Analysis, "logit-line:eps=16", "16/255"),
        (Analysis, "subspace-dimension:norm=linf,eps=4", "4/255"),
        (Analysis, "adversarials:eps=8", "8/255"),
        (Method, "corpus-at:source=a,eps=8", "8/255"),
        (Method, "corpus-at:source=a,attack=l2-pgd/linf-pgd,eps=2", "2/255"),
    ],
)
def test_analyses_and_searches_meet_it_too(room: type[Plugin], spec: str, guess: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {guess}"):
        build(room, spec)


def test_an_epsilon_in_l2_is_no_longer_than_the_images(tmp_path: Path) -> None:
    run = make_run(tmp_path, data="digits")  # 28x28, so 28 from black to white
    where = Where(tmp_path, tmp_path, "cpu")
    open_images(make_attack_config("l2-pgd", "digits", [Eps.parse("28")]), run, where)
    with pytest.raises(UsageError, match=r"l2-pgd \(l2\): epsilon 128 .*did you mean 128/255\?"):
        open_images(make_attack_config("l2-pgd", "digits", [Eps.parse("128")]), run, where)


def test_an_epsilon_names_the_attack_it_does_not_fit() -> None:
    make_attack_config("l2-deepfool", "digits", [Eps.parse("1.5")])
    with pytest.raises(UsageError, match=r"linf-pgd .*epsilon 1\.5 .*did you mean 1\.5/255\?"):
        make_attack_config("linf-pgd", "digits", [Eps.parse("1.5")])
