"""Rows counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.analysis.analyses.per_class import PerClass
from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.runs.evaluation import Evaluation


class Says(nn.Module):
    """The class that the first pixel names."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot((x[:, 0, 0, 0] * 10).round().long(), 3).float()


LABELS = [0, 0, 0, 0, 1, 1, 2]
CLEAN = [0, 0, 0, 1, 1, 2, 2]
BROKEN = [1, 0, 0, 1, 2, 2, 2]


def seen() -> Images:
    x = torch.tensor(CLEAN) / 10
    return Images(x[:, None, None, None].expand(-1, 1, 2, 2), torch.tensor(LABELS))


def evaluation(**more: object) -> Evaluation:
    rows = []
    for eps, predictions in (("0", CLEAN), ("0.1", BROKEN), ("0.2", [1] * 7)):
        for i, prediction in enumerate(predictions):
            rows.append((i, LABELS[i], CLEAN[i], eps, prediction, 0.05, True))
    samples = pd.DataFrame(rows, columns=list(Evaluation.COLUMNS)).assign(**more)
    return Evaluation("linf-pgd:steps=3", "linf", grid(["0,0.1,0.2"]), samples)


def test_unchanged_images_are_counted_by_label_and_prediction() -> None:
    found = analyse_model(Says(), seen(), PerClass())
    rows = [tuple(r) for r in found.table[["label", "prediction", "count"]].to_numpy()]
    assert rows == [(0, 0, 3), (0, 1, 1), (1, 1, 1), (1, 2, 1), (2, 2, 1)]
    assert found["accuracy"] == pytest.approx(5 / 7)
    assert found["balanced"] == pytest.approx((3 / 4 + 1 / 2 + 1) / 3)
    assert found["worst class"] == 0.5


def test_balanced_accuracy_and_confusion_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import balanced_accuracy_score, confusion_matrix

    found = analyse_model(Says(), seen(), PerClass())
    matrix = np.zeros((3, 3), int)
    matrix[found.table["label"], found.table["prediction"]] = found.table["count"]
    assert (matrix == confusion_matrix(LABELS, CLEAN)).all()
    assert found["balanced"] == pytest.approx(balanced_accuracy_score(LABELS, CLEAN))


def test_attacks_are_read_from_what_is_stored() -> None:
    found = analyse_model(Says(), seen(), PerClass(), evaluations=[evaluation()])
    assert found.table[["attack", "eps"]].drop_duplicates().to_numpy().tolist() == [
        ["", "0"],
        ["linf-pgd:steps=3", "0.1"],
        ["linf-pgd:steps=3", "0.2"],
    ]
    at = found.table[found.table["eps"] == "0.1"]
    assert int(at["count"].sum()) == 7
    assert found["balanced, linf-pgd:steps=3 ε=0.2"] == pytest.approx((0 + 1 + 0) / 3)


def test_a_targeted_attack_has_a_success_for_each_pair_of_classes() -> None:
    target = [(label + 1) % 3 for label in LABELS] * 3
    found = analyse_model(
        Says(), seen(), PerClass(eps="0.1"), evaluations=[evaluation(target=target)]
    )
    under = found.table[found.table["attack"] != ""]
    assert set(zip(under["label"], under["target"], strict=True)) == {(0, 1), (1, 2), (2, 0)}
    hits = under[under["prediction"] == under["target"]].groupby(["label", "target"])["count"].sum()
    assert hits.to_dict() == {(0, 1): 2, (1, 2): 2}
    assert found["target reached, linf-pgd:steps=3 ε=0.1"] == pytest.approx(4 / 7)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        (PerClass(), True),
        (PerClass(attack="linf-pgd"), True),
        (PerClass(attack="linf-pgd:steps=3"), True),
        (PerClass(attack="l2-pgd"), False),
        (PerClass(eps="0.2"), True),
        (PerClass(eps="0.3"), False),
    ],
)
def test_only_what_was_asked_for_is_read(question: PerClass, wanted: bool) -> None:
    assert question.reads(evaluation()) is wanted
