"""Differences between methods on the same images, with their intervals."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from fake_runs import draw, make_evaluation, make_run
from scipy import stats as reference

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.numbers.compare import Comparison
from robustbench_cli.reporting.report import table
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.runs.run import Run

BASE = draw(0.95, 0.2, n=300)


def attacked(folder: Path, method: str, scale: float, seed: int = 0, **more: str) -> Run:
    """A run whose samples break `scale` times as far away as the baseline's."""
    run = make_run(folder, method, seed)
    jitter = np.random.default_rng(seed).lognormal(0, 0.05, len(BASE))
    run.save(make_evaluation(BASE * scale * jitter, **more))
    return run


def compared(*runs: Run, against: str = "plain", **choice: str) -> Comparison:
    (found,) = Selection.of(runs, against=against, **choice).comparisons
    return found


def test_one_run_each_has_mcnemar_and_an_interval_over_images(tmp_path: Path) -> None:
    plain, mixup = attacked(tmp_path, "plain", 1), attacked(tmp_path, "mixup", 1.3)
    at = compared(plain, mixup).at[Eps.parse("0.2")]
    ours, theirs = (
        run.evaluations()[0].correct()["0.2"].to_numpy().astype(int) for run in (mixup, plain)
    )
    assert at.value == pytest.approx((ours - theirs).mean()) and at.n == 300
    won, lost = int((ours > theirs).sum()), int((ours < theirs).sum())
    assert at.p == pytest.approx(reference.binomtest(min(won, lost), won + lost).pvalue)
    assert at.low is not None and 0 < at.low < at.value and at.sure


def test_the_same_network_differs_by_nothing(tmp_path: Path) -> None:
    plain, twin = attacked(tmp_path, "plain", 1), attacked(tmp_path, "mixup", 1)
    found = compared(plain, twin)
    assert all((d.value, d.low, d.high, d.p) == (0, 0, 0, 1) for d in found.at.values())
    assert not any(d.sure for d in found.at.values())


def test_three_runs_each_have_an_interval_over_runs_too(tmp_path: Path) -> None:
    scales = {"plain": 1, "mixup": 1.3}
    runs = [attacked(tmp_path, m, scale, i) for m, scale in scales.items() for i in range(3)]
    many = compared(*runs)
    one = compared(runs[0], runs[3])
    eps = Eps.parse("0.3")
    assert many.at[eps].p is None and many.at[eps].sure
    assert many.area is not None and many.area.low is not None
    area = [c.share.value for c in Selection.of(runs).curves if c.share]
    assert many.area.value == pytest.approx(area[1] - area[0])
    assert one.area is not None and one.area.p is None


def test_two_runs_have_no_interval(tmp_path: Path) -> None:
    runs = [attacked(tmp_path, m, s, i) for m, s in (("plain", 1), ("mixup", 1.3)) for i in (0, 1)]
    at = compared(*runs).at[Eps.parse("0.2")]
    assert at.value > 0 and at.low is None and not at.sure


def test_only_the_same_attack_on_the_same_data_is_compared(tmp_path: Path) -> None:
    plain = attacked(tmp_path, "plain", 1)
    plain.save(make_evaluation(BASE, "linf-fgsm"))
    other = attacked(tmp_path, "mixup", 1)
    found = Selection.of([plain, other], against="plain").comparisons
    assert [(c.curve.label, c.curve.attack) for c in found] == [("mixup", "linf-pgd")]


def test_only_the_images_that_both_have(tmp_path: Path) -> None:
    plain, short = attacked(tmp_path, "plain", 1), make_run(tmp_path, "mixup")
    short.save(make_evaluation(BASE[:100]))
    assert compared(plain, short).at[Eps.parse("0.1")].n == 100


def test_an_unknown_baseline_names_the_rows(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--against plan: no such row; there are: plain"):
        table(attacked(tmp_path, "plain", 1), against="plan")


def test_every_format_carries_the_differences(tmp_path: Path) -> None:
    runs = [attacked(tmp_path, "plain", 1), attacked(tmp_path, "mixup", 1.5)]
    made = table(runs, against="plain", epsilons="0.2")
    assert "linf-pgd, L∞: difference to plain, points" in str(made)
    assert max(map(len, str(made).splitlines())) <= 100
    document = json.loads(made.render("json"))
    point = document["differences"][0]["points"][1]
    assert point["eps"] == "0.2" and point["low"] < point["value"] < point["high"]
    assert document["differences"][0]["against"] == "plain"
    rows = list(csv.DictReader(io.StringIO(made.render("csv"))))
    (row,) = (r for r in rows if (r["label"], r["eps"]) == ("mixup", "0.2"))
    assert float(row["difference"]) == point["value"] and float(row["difference_p"]) < 0.05
    assert all(r["difference"] == "" for r in rows if r["label"] == "plain")
    assert "difference" not in table(runs).render("csv")
