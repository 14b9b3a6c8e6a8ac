from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import make_run

from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.numbers.settings import Setting, differing, labels_without


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("label-noise", 0.25),
        ("augment", "true"),
        ("method", "vib+pgd-at:eps=8/255,steps=3"),
        ("pgd-at:steps", 3.0),
        ("pgd-at:eps", 8 / 255),
        ("pgd-at:clean", 0.0),  # its default
        ("pgd-at:norm", "linf"),  # the default of what it derives from
        ("pgd-at:step-size", None),
        ("wide-resnet:width", 4.0),
        ("wide-resnet:depth", 28.0),
        ("mixup:alpha", None),
        ("pgd-at:nonsense", None),
    ],
)
def test_the_value_of_a_setting(tmp_path: Path, name: str, value: object) -> None:
    method, model = "vib+pgd-at:eps=8/255,steps=3", "wide-resnet:width=4"
    run = make_run(tmp_path, method, model=model, label_noise=0.25, augment=True)
    assert Setting.of("label_noise", [run]) == Setting("label-noise")
    assert Setting(name).value(run) == value


def test_what_the_data_set_decided_counts(tmp_path: Path) -> None:
    run = make_run(tmp_path, "pgd-at", method_resolved="pgd-at:eps=0.3")
    assert Setting("pgd-at:eps").value(run) == 0.3


def test_without_a_setting_runs_are_alike(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, f"info-mixup:p={p},beta=0.1+sat") for p in (0.5, 0.9)]
    assert set(labels_without(runs, "method", [Setting("info-mixup:p")]).values()) == {
        "info-mixup:beta=0.1+sat"
    }
    bare = [Setting("info-mixup:p").without(run).config for run in runs]
    assert bare[0] == bare[1]


def test_the_numbers_in_which_runs_differ(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path, "mixup:alpha=1", 0, lr=0.1),
        make_run(tmp_path, "mixup:alpha=2", 1, lr=0.2),
        make_run(tmp_path, "plain", 2, lr=0.2, loss="bce"),
    ]
    assert differing(runs) == ["lr", "mixup:alpha"]
    with pytest.raises(UsageError, match="differ: lr, mixup:alpha"):
        Setting.of("cutmix:alpha", runs)
    with pytest.raises(UsageError, match="--by run makes each run a group"):
        labels_without(runs, "run", [Setting("lr")])
