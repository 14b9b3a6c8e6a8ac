"""Losses against their formulas, worked by hand."""

from __future__ import annotations

import pytest
import torch

from robustbench_cli.evaluation.algorithms.losses import cross_entropy, dlr, margin, targeted_dlr

LOGITS = torch.tensor([[3.0, 1.0, 2.0, -1.0], [0.0, 4.0, 1.0, 2.0]])
LABELS, AIMS = torch.tensor([0, 0]), torch.tensor([2, 3])


def test_margin() -> None:
    assert margin(LOGITS, LABELS).tolist() == [-1, 4]


def test_dlr() -> None:
    found = dlr(LOGITS, LABELS, AIMS)
    assert found.tolist() == pytest.approx([(2 - 3) / (3 - 1), (4 - 0) / (4 - 1)])


def test_targeted_dlr() -> None:
    found = targeted_dlr(LOGITS, LABELS, AIMS)
    first, second = (2 - 3) / (3 - (1 - 1) / 2), (2 - 0) / (4 - (1 + 0) / 2)
    assert found.tolist() == pytest.approx([first, second])


def test_cross_entropy() -> None:
    exact = -LOGITS.log_softmax(1)[:, 0]
    assert cross_entropy(LOGITS, LABELS, AIMS).tolist() == pytest.approx(exact.tolist())


@pytest.mark.parametrize("loss", [dlr, targeted_dlr])
def test_ratios_do_not_change_with_scale_or_shift(loss) -> None:
    assert torch.allclose(loss(LOGITS, LABELS, AIMS), loss(100 * LOGITS + 7, LABELS, AIMS))
