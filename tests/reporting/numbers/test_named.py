"""Which group a name means."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from fake_runs import draw, make_evaluation, make_run

from robustbench_cli import judge
from robustbench_cli.reporting.numbers.named import LackingError, named

METHODS = {
    "plain": "plain",
    "mixup": "mixup",
    "mixup+pgd-at:steps=3": "mixup+pgd-at:steps=3",
    "vib:beta=0.01, lenet5": "vib:beta=0.01",
    "vib:beta=0.002, mlp": "vib:beta=0.002",
    "plain + jpeg": "plain+jpeg",
    "label-noise=0.2": "sat",
    "large-margin:gamma=0.1, label-noise=0.4": "large-margin:gamma=0.1",
    "large-margin:gamma=0.1, label-noise=0.8": "large-margin:gamma=0.1",
}
MODELS = {
    "lenet5, plain": "lenet5",
    "lenet5, sat": "lenet5",
    "lenet5:dense=3": "lenet5:dense=3",
    "lenet5 + jpeg": "lenet5+jpeg",
}


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("plain", "plain"),
        ("mixup", "mixup"),
        ("mixup:alpha=1.0", "mixup"),  # its default
        ("mixup+pgd-at", "mixup+pgd-at:steps=3"),
        ("mixup+pgd-at:steps=3.0", "mixup+pgd-at:steps=3"),
        ("vib:beta=2e-3", "vib:beta=0.002, mlp"),
        ("plain + jpeg", "plain + jpeg"),
        ("0.2", "label-noise=0.2"),
        (  # its default norm
            "large-margin:norm=linf, gamma=.1, label-noise=0.8",
            "large-margin:gamma=0.1, label-noise=0.8",
        ),
    ],
)
def test_a_name_is_a_label_or_a_method_in_any_spelling(name: str, label: str) -> None:
    assert named(name, METHODS) == label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("lenet5:dense=2, sat", "lenet5, sat"),
        ("lenet5:dense=3.0", "lenet5:dense=3"),
        ("lenet5:dense=2 + jpeg", "lenet5 + jpeg"),
    ],
)
def test_a_model_has_as_many_spellings(name: str, label: str) -> None:
    assert named(name, MODELS, "models") == label


def test_a_statement_by_model_is_about_models_in_any_spelling(tmp_path: Path) -> None:
    for model, seed in product(("lenet5", "lenet5:dense=3"), range(3)):
        run = make_run(tmp_path, model=model, seed=seed)
        accuracy = 0.9 if model == "lenet5" else 0.4
        make_evaluation(draw(accuracy, 0.2, seed=seed)).save(run.path / "attacks")
    about = {"by": "model", "attack": "linf-pgd", "measure": "clean"}
    statements = {
        "published": {"method": "lenet5:dense=2", "value": 90, **about},
        "claim": {"better": "lenet5:dense=2.0", "than": "lenet5:dense=3.0", **about},
    }
    rows = judge(str(tmp_path / "*"), statements).frame.set_index("statement")
    assert rows.loc["published", "ours"] == pytest.approx(0.9, abs=0.05)
    assert rows.loc["claim", "verdict"] == "supported"


def test_a_name_that_fits_several_or_none_is_told() -> None:
    both = "vib is several groups: vib:beta=0.01, lenet5; vib:beta=0.002, mlp; name one"
    with pytest.raises(LackingError, match=both):
        named("vib", METHODS)
    with pytest.raises(LackingError, match="no run of trades; there are: plain; mixup; "):
        named("trades", METHODS)
