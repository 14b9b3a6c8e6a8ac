"""A fixed class to aim at, on a linear network whose targeted distances are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.spec import build

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


@pytest.mark.parametrize("target", ["least", "-1", "3.5"])
def test_other_targets_are_refused(target: str) -> None:
    with pytest.raises(UsageError, match=f"target={target} is none of none, next"):
        build(Attack, f"linf-pgd:target={target}")
