"""Which group a name means."""

from __future__ import annotations

import pytest

from robustbench_cli.reporting.numbers.named import LackingError, named

METHODS = {
    "plain": "plain",
    "mixup": "mixup",
    "mixup+pgd-at:steps=3": "mixup+pgd-at:steps=3",
    "vib:beta=0.01, lenet5": "vib:beta=0.01",
    "vib:beta=0.002, mlp": "vib:beta=0.002",
    "plain + jpeg": "plain+jpeg",
    "label-noise=0.2": "sat",
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
    ],
)
def test_a_name_is_a_label_or_a_method_in_any_spelling(name: str, label: str) -> None:
    assert named(name, METHODS) == label


def test_a_name_that_fits_several_or_none_is_told() -> None:
    both = "vib is several groups: vib:beta=0.01, lenet5; vib:beta=0.002, mlp; name one"
    with pytest.raises(LackingError, match=both):
        named("vib", METHODS)
    with pytest.raises(LackingError, match="no run of trades; there are: plain; mixup; "):
        named("trades", METHODS)
