"""A fixed class to aim at, on a linear network whose targeted distances are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.algorithms.targets import Targeted
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import build
from robustbench_cli.statistics.intervals import wilson

EPS = 0.05


def test_a_fixed_class_is_reached_where_the_closed_form_says_so() -> None:
    torch.manual_seed(0)
    weights = torch.randn(3, 12)
    x = (0.3 + 0.4 * torch.rand(60, 3, 2, 2)).mul(255).round().to(torch.uint8)
    pixels = x.double().flatten(1) / 255
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 3, bias=False))
    network[1].weight.data = weights
    scores = pixels @ weights.double().T
    labels = scores.argmax(1)
    found = evaluate_model(
        network, Images(x, labels), "linf-pgd:target=2,steps=100", grid([str(EPS)])
    )
    rows = found.samples.sort_values("index")
    aside = rows["label"] == 2
    assert aside.any() and not rows["attacked"][aside].any()
    assert (rows["prediction"] == 2)[aside].all()
    told = {"eps": "0.05", "reached": int((rows["prediction"] == 2)[~aside].sum())}
    assert found.record["at_target"] == [{**told, "n": int((~aside).sum())}]
    # class 2 overtakes class j within eps where eps·|w2 - wj|_1 exceeds the lead of j
    leads = (scores - scores[:, 2:]).numpy()
    gains = EPS * (weights[2] - weights).abs().sum(1).double().numpy()
    impossible = (leads > gains).any(axis=1)
    reached = (rows["prediction"] == 2).to_numpy() & ~aside.to_numpy()
    assert not reached[impossible].any()
    one_step = EPS * (weights[2] - weights[0]).sign()  # a witness that class 2 can be reached
    other = EPS * (weights[2] - weights[1]).sign()
    for move in (one_step, other):
        fooled = ((pixels + move.double()) @ weights.double().T).argmax(1).numpy() == 2
        assert reached[fooled & ~aside.to_numpy()].all()
        assert np.any(fooled & ~aside.to_numpy())


def aim(target: str, *classes: str) -> int:
    attack = build(Attack, f"linf-pgd:target={target}")
    assert isinstance(attack, Targeted)
    return attack.number(classes, len(classes) or 3)


def test_a_class_is_meant_by_its_number_or_its_name() -> None:
    assert aim("1") == aim("cat", "dog", "cat") == aim("1", "dog", "cat") == 1
    assert aim("7", "7", "8") == 0  # 7 is no number of theirs
    assert aim("1", "0", "1", "2") == 1  # both at once


@pytest.mark.parametrize(
    ("target", "classes", "message"),
    [
        ("least", (), "no class 'least'; type target=none, next, .*, a number from 0 to 2$"),
        ("-1", (), "no class '-1'"),
        ("3", (), "a number from 0 to 2"),
        ("dgo", ("dog", "cat"), "or a name: did you mean dog?"),
        ("bird", ("dog", "cat"), "or a name: dog, cat"),
        ("1", ("1", "2"), "is the number of the class '2' and the name of another, number 0"),
    ],
)
def test_other_targets_are_refused(target: str, classes: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        aim(target, *classes)


def test_the_rate_of_success_at_the_target_counts_samples_of_other_classes() -> None:
    """Of four samples of classes 0 to 3, two are brought to class 3 at 0.1, one more at 0.2."""
    near, far = ([3, 3, 2, 3], [3, 3, 3, 3])
    samples = pd.DataFrame(
        {
            "index": [0, 1, 2, 3] * 2,
            "label": [0, 1, 2, 3] * 2,
            "clean": [0, 3, 2, 3] * 2,
            "eps": ["0.1"] * 4 + ["0.2"] * 4,
            "prediction": near + far,
            "distance": np.nan,
            "attacked": True,
            "target": 3,
        }
    )
    found = Evaluation("linf-pgd:target=3", "linf", grid(["0.1,0.2"]), samples)
    rates = found.at_target()
    assert rates["rate"].tolist() == pytest.approx([2 / 3, 1]) and rates["n"].tolist() == [3, 3]
    assert tuple(rates.loc[0, ["low", "high"]]) == pytest.approx(wilson(2, 3))
    assert (found.tally.aimed, found.tally.reached) == (3, (1, 2, 3))
    untargeted = Evaluation("linf-pgd", "linf", found.epsilons, samples.drop(columns="target"))
    assert untargeted.at_target().empty and untargeted.tally.reached == ()
