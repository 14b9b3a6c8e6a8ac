"""Every verdict, reached by runs whose rows were made for it; intervals beside scipy's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_runs import draw, make_analysis, make_evaluation, make_run
from hypothesis import given
from hypothesis import strategies as some
from scipy import stats as reference

from robustbench_cli.epsilon import Eps
from robustbench_cli.reporting.numbers.claims import Judged, verdict_of
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.claims import claims_table
from robustbench_cli.runs.analysed import Number
from robustbench_cli.runs.run import Run

BASE = draw(0.95, 0.2, n=300)
AREA: dict[str, Any] = {"attack": "linf-pgd", "measure": "area"}
MIXUP = {"better": "mixup", "than": "plain"}
MASKED = {"zero_margin": 0.5, "zero_ce": 0.0, "nan": 0.0, "predicted": 1.0, "lead": 1.0}


def attacked(folder: Path, method: str, scale: float, seeds: int = 3, **more: Any) -> list[Run]:
    """Runs whose images are broken `scale` times as far away as `BASE` says, with some jitter."""
    made = []
    for seed in range(seeds):
        run = make_run(folder, method, seed)
        jitter = np.random.default_rng([seed, len(method)]).lognormal(0, 0.05, len(BASE))
        run.save(make_evaluation(BASE * scale * jitter, **more))
        made.append(run)
    return made


def judged(runs: list[Run], *claims: dict[str, Any]) -> list[Judged]:
    return Selection.of(runs, statements={"claim": list(claims)}).judged


def one(runs: list[Run], **claim: Any) -> Judged:
    (found,) = judged(runs, claim)
    return found


@pytest.mark.parametrize(
    ("scale", "verdict"), [(1.5, "supported"), (1.0, "not supported"), (0.6, "contradicted")]
)
def test_a_verdict_follows_from_the_whole_interval(
    tmp_path: Path, scale: float, verdict: str
) -> None:
    runs = [*attacked(tmp_path, "plain", 1), *attacked(tmp_path, "mixup", scale)]
    found = one(runs, **MIXUP, **AREA)
    assert found.verdict == verdict and not found.why
    assert found.seeds == ((0, 1, 2), (0, 1, 2)) and found.attacks == ("linf-pgd",)
    area = {curve.label: curve.share for curve in Selection.of(runs).curves}
    assert found.difference is not None and found.difference.n == 300
    assert area["mixup"] and area["plain"]
    assert found.difference.value == pytest.approx(area["mixup"].value - area["plain"].value)


def test_a_margin_moves_the_bar(tmp_path: Path) -> None:
    runs = [*attacked(tmp_path, "plain", 1), *attacked(tmp_path, "mixup", 1.5)]
    value = one(runs, **MIXUP, **AREA).difference
    assert value and value.low and value.high
    percent = [100 * bound for bound in (value.low - 0.01, value.value, value.high + 0.01)]
    found = [one(runs, **MIXUP, **AREA, margin=margin).verdict for margin in percent]
    assert found == ["supported", "not supported", "contradicted"]


def test_equals_lie_within(tmp_path: Path) -> None:
    runs = [*attacked(tmp_path, "plain", 1), *attacked(tmp_path, "mixup", 1.02)]
    both = {"equal": ["mixup", "plain"], **AREA}
    assert [one(runs, **both, within=within).verdict for within in (20, "0.1%")] == [
        "supported",
        "not supported",
    ]
    far = [*runs, *attacked(tmp_path, "pgd-at", 2)]
    claim = {"equal": ["pgd-at", "plain"], "within": 2, **AREA}
    assert one(far, **claim).verdict == "contradicted"


def test_one_claim_alone_has_the_interval_of_the_table(tmp_path: Path) -> None:
    runs = [*attacked(tmp_path, "plain", 1), *attacked(tmp_path, "mixup", 1.3)]
    (comparison,) = Selection.of(runs, against="plain").comparisons
    eps = {"attack": "linf-pgd", "eps": "0.2"}
    assert one(runs, **MIXUP, **AREA).difference == comparison.area
    assert one(runs, **MIXUP, **eps).difference == comparison.at[Eps.parse("0.2")]
    assert one(runs, **MIXUP, measure="clean").difference == comparison.at[Eps.parse("0")]


def test_more_claims_need_more_confidence(tmp_path: Path) -> None:
    runs = [*attacked(tmp_path, "plain", 1), *attacked(tmp_path, "mixup", 1.3)]
    alone = one(runs, **MIXUP, **AREA)
    many = judged(runs, {**MIXUP, **AREA}, *[{**MIXUP, **AREA, "than": "vib"}] * 9)
    assert [alone.confidence, many[0].confidence] == pytest.approx([0.95, 0.995])
    assert {each.verdict for each in many[1:]} == {"missing"}, "and they are counted, too"
    widths = [(d.high or 0) - (d.low or 0) for d in (alone.difference, many[0].difference) if d]
    assert widths[1] > 1.2 * widths[0]


def test_a_stronger_attack_is_paired_over_the_runs(tmp_path: Path) -> None:
    """What runs scatter outweighs what images do, so that it is Student's paired interval."""
    rng, n, runs = np.random.default_rng(0), 2000, []
    left: list[tuple[float, float]] = []
    for seed, gap in enumerate(rng.normal(0.1, 0.06, 8)):
        run = make_run(tmp_path, "plain", seed)
        hard = rng.permutation(n)
        level = rng.uniform(0.3, 0.8)  # of the run: cancels in a paired difference
        shares = (level, level - gap)
        for attack, share in zip(("linf-fgsm", "linf-pgd"), shares, strict=True):
            broken = hard >= share * n
            run.save(make_evaluation(np.where(broken, 0.05, 1.0), attack, epsilons="0.1"))
        left.append(tuple(round(share * n) / n for share in shares))  # type: ignore[arg-type]
        runs.append(run)
    found = one(runs, stronger="linf-pgd", than="linf-fgsm", method="plain", eps="0.1")
    weak, strong = np.array(left).T
    student = reference.ttest_rel(weak, strong).confidence_interval(0.95)
    assert found.difference is not None
    assert found.difference.value == pytest.approx((weak - strong).mean(), abs=1e-3)
    interval = found.difference.low, found.difference.high
    assert interval == pytest.approx(tuple(student), abs=0.15 * (student.high - student.low))
    assert found.verdict == "supported" and found.attacks == ("linf-fgsm", "linf-pgd")


def timed(folder: Path, method: str, epochs: list[float], **record: Any) -> list[Run]:
    """A run for each, of two epochs that took so long each."""
    made = []
    for seed, seconds in enumerate(epochs):
        run = make_run(folder, method, seed).update(device="cpu", versions={}, **record)
        rows = {"epoch": [1, 2], "loss": 1.0, "seconds": seconds}
        pd.DataFrame(rows).to_csv(run.path / "history.csv", index=False)
        made.append(run)
    return made


def test_cost_is_a_ratio_on_one_machine(tmp_path: Path) -> None:
    cheap, dear = [2.0, 2.1, 2.2], [4.1, 4.0, 4.6]
    runs = [*timed(tmp_path, "plain", cheap), *timed(tmp_path, "vib", dear)]
    others = timed(tmp_path / "elsewhere", "vib", [0.1] * 3)
    elsewhere = [run.update(device="a fast one") for run in others]
    found = one(runs, better="plain", than="vib", measure="cost", margin=50)
    welch = reference.ttest_ind(np.log(dear), np.log(cheap), equal_var=False)
    low, high = np.exp(welch.confidence_interval(0.95)) - 1
    assert found.difference is not None
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high))
    assert found.difference.value == pytest.approx(
        reference.gmean(dear) / reference.gmean(cheap) - 1
    )
    assert found.verdict == "supported" and found.on.startswith("cpu")
    apart = [*runs[:3], *elsewhere]
    why = one(apart, better="plain", than="vib", measure="cost").why
    assert why == "plain and vib were never trained on one machine"


def test_a_validation_loss_is_better_where_it_is_lower(tmp_path: Path) -> None:
    losses = {"plain": [0.30, 0.32, 0.33], "mixup": [0.21, 0.20, 0.24]}
    runs = [
        make_run(tmp_path, method, seed).update(validation_loss=loss)
        for method, listed in losses.items()
        for seed, loss in enumerate(listed)
    ]
    found = one(runs, **MIXUP, measure="validation-loss", margin=0.02)
    welch = reference.ttest_ind(losses["plain"], losses["mixup"], equal_var=False)
    low, high = welch.confidence_interval(0.95)
    assert found.difference is not None and found.verdict == "supported"
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high))
    text = str(claims_table([found]))
    assert "mixup < plain by 0.02" in text and "validation loss" in text and "nats" in text
    turned = one(runs, better="plain", than="mixup", measure="validation-loss")
    assert turned.verdict == "contradicted"


def test_one_run_each_is_no_verdict(tmp_path: Path) -> None:
    runs = [*attacked(tmp_path, "plain", 1, 1), *attacked(tmp_path, "mixup", 1.5, 1)]
    found = one(runs, **MIXUP, **AREA)
    assert found.verdict == "no verdict" and found.difference and found.difference.low
    assert "one run each: supported on these images alone, which says nothing" in found.why
    two = [*runs, *attacked(tmp_path / "more", "mixup", 1.5, 2)]
    assert "2 and 1 runs: an interval needs three" in one(two, **MIXUP, **AREA).why


def test_masked_gradients_make_a_claim_worthless(tmp_path: Path) -> None:
    signals = {"access": "gradient", "signals": {"gradients": MASKED}}
    runs = [*attacked(tmp_path, "plain", 1), *attacked(tmp_path, "mixup", 1.5, **signals)]
    found = one(runs, **MIXUP, **AREA)
    assert found.verdict == "worthless" and found.difference is None
    assert "gradient is zero at 50.0% of images" in found.why and "2 more runs" in found.why
    assert "[unusable-gradients]" in found.why
    assert one(runs, **MIXUP, measure="clean").verdict == "not supported", "of unchanged images"
    for run in runs:
        run.save(make_evaluation(BASE, "linf-square", access="scores"))
    blind = one(runs, **MIXUP, attack="linf-square", measure="area")
    assert blind.verdict == "not supported", "it follows no gradient"


def test_a_broken_network_makes_every_claim_worthless(tmp_path: Path) -> None:
    runs = attacked(tmp_path, "plain", 1)
    for seed in range(3):
        run = make_run(tmp_path, "mixup", seed)
        run.save(make_evaluation(np.where(np.arange(300) < 30, 1.0, 0.0)))
        runs.append(run)
    found = one(runs, **MIXUP, measure="clean")
    assert found.verdict == "worthless" and "near chance" in found.why


def test_epsilons_of_two_norms_are_no_comparison(tmp_path: Path) -> None:
    runs = attacked(tmp_path, "plain", 1)
    for run in runs:
        run.save(make_evaluation(BASE * 8, "l2-boundary", "l2"))
    claim = {"stronger": "linf-pgd", "than": "l2-boundary", "method": "plain", "eps": "0.1"}
    found = one(runs, **claim)
    assert found.verdict == "worthless" and "l2 and linf are different distances" in found.why


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ({"than": "vib"}, "no run of vib; there are: plain; mixup"),
        ({"than": "mixup"}, "mixup and mixup are both mixup"),
        ({"attack": "linf-square"}, "no run was attacked by linf-square; there are: "),
        ({"attack": "linf-fgsm"}, "mixup: not attacked; type -a linf-fgsm"),
        ({"view": "bare"}, "mixup: not attacked in the bare view; type -a linf-pgd"),
        ({"measure": "accuracy", "eps": "0.25"}, "no accuracies of both at eps 0.25; there are: 0"),
        ({"measure": "cost", "attack": []}, "mixup: no seconds of training are recorded"),
        ({"measure": "validation-loss", "attack": []}, "no validation loss is recorded; train"),
    ],
    ids=str,
)
def test_what_is_missing_is_named(tmp_path: Path, claim: dict[str, Any], why: str) -> None:
    runs = [*attacked(tmp_path, "plain", 1), *attacked(tmp_path, "mixup", 1)]
    for run in runs[:3]:
        run.save(make_evaluation(BASE, "linf-fgsm"))
    found = one(runs, **{**MIXUP, **AREA, **claim})
    assert (found.verdict, found.difference) == ("missing", None)
    assert why in found.why


BOUND = some.floats(-1, 1)


@given(BOUND, BOUND, some.floats(0, 0.5), some.booleans())
def test_a_verdict_agrees_with_its_interval(a: float, b: float, margin: float, equal: bool) -> None:
    low, high = sorted((a, b))
    region = (-margin, margin) if equal else (margin, float("inf"))
    verdict = verdict_of(low, high, region)
    points = np.linspace(low, high, 50)
    true = (points > region[0]) & (points < region[1])
    if verdict == "supported":
        assert true.all()
    elif verdict == "contradicted":
        assert not true.any()
    else:
        assert low <= region[0] <= high or low <= region[1] <= high, "an edge lies in the interval"


@given(BOUND, BOUND)
def test_the_opposite_of_a_supported_claim_is_contradicted(a: float, b: float) -> None:
    low, high = sorted((a, b))
    opposite = verdict_of(-high, -low, (0, float("inf")))
    expected = {"supported": "contradicted", "contradicted": "supported"}
    verdict = verdict_of(low, high, (0, float("inf")))
    assert opposite == expected.get(verdict, "not supported")


def looked_into(folder: Path, method: str, margins: list[float], unit: str = "pixels") -> list[Run]:
    runs = [make_run(folder, method, seed) for seed in range(len(margins))]
    for run, margin in zip(runs, margins, strict=True):
        make_analysis(run, "margin:points=25", Number("mean", margin, unit))
    return runs


def test_a_number_of_an_analysis_is_compared_over_seeds(tmp_path: Path) -> None:
    wide, narrow = [0.44, 0.40, 0.47], [0.31, 0.33, 0.35]
    runs = looked_into(tmp_path, "mixup", wide) + looked_into(tmp_path, "plain", narrow)
    about = {"analysis": "margin", "number": "mean"}
    found = one(runs, **MIXUP, **about)
    expected = reference.ttest_ind(wide, narrow, equal_var=False).confidence_interval(0.95)
    assert found.verdict == "supported" and found.difference is not None
    assert (found.difference.low, found.difference.high) == pytest.approx(tuple(expected))
    assert one(runs, **MIXUP, **about, lower=True).verdict == "contradicted"
    assert one(runs, **MIXUP, **about, margin=0.1).verdict == "not supported"
    table = claims_table([found])
    assert "mixup > plain" in str(table) and "margin, mean" in str(table)


def test_a_share_of_an_analysis_has_its_margin_in_points(tmp_path: Path) -> None:
    runs = looked_into(tmp_path, "mixup", [0.6, 0.61, 0.62], "share")
    runs += looked_into(tmp_path, "plain", [0.5, 0.51, 0.52], "share")
    about = {"analysis": "margin", "number": "mean"}
    assert one(runs, **MIXUP, **about, margin=5).verdict == "supported"
    assert one(runs, **MIXUP, **about, margin=20).verdict == "contradicted"


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"analysis": "embedding", "number": "mean"}, "no run holds the analysis embedding"),
        ({"analysis": "margin", "number": "median"}, "gives no 'median'; it gives: mean"),
    ],
)
def test_what_no_analysis_says_is_missing(tmp_path: Path, about: dict[str, Any], why: str) -> None:
    runs = looked_into(tmp_path, "mixup", [1.0]) + looked_into(tmp_path, "plain", [1.0])
    found = one(runs, **MIXUP, **about)
    assert found.verdict == "missing" and why in found.why


def test_runs_without_the_number_are_not_counted(tmp_path: Path) -> None:
    runs = looked_into(tmp_path, "mixup", [0.44, 0.40, 0.47, float("nan")])
    runs += looked_into(tmp_path, "plain", [0.31, 0.33, 0.35])
    found = one(runs, **MIXUP, analysis="margin", number="mean")
    assert found.seeds == ((0, 1, 2), (0, 1, 2)) and found.verdict == "supported"
