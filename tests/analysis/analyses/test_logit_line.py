"""Lines through networks whose pieces can be counted otherwise."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
import torch
from analysis.networks import images, linear
from torch import nn

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.analysis.analyses.logit_line import LogitLine


def test_a_linear_network_is_one_piece_with_known_logits() -> None:
    network = linear(3)
    test = images(network, 4)
    found = analyse_model(network, test, LogitLine(images=4, points=11, eps=0.5))
    assert found["pieces"] == 1 and found["linearity"] == pytest.approx(1)
    for i, line in found.table.groupby("index"):
        index = int(str(i))
        p = network(test.pixels[index : index + 1]).softmax(1)[0]
        p[test.labels[index]] -= 1  # the gradient of the cross entropy by the logits
        sign = (p @ network.weight).sign()
        wide = line.pivot(index="t", columns="class", values="logit")
        t = torch.tensor(wide.index.to_numpy(), dtype=torch.float32)
        points = test.pixels[index].flatten() + t[:, None] * sign
        np.testing.assert_allclose(wide.to_numpy(), points @ network.weight.T, atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_the_pieces_of_a_small_relu_network_are_those_of_its_activation_pattern(seed: int) -> None:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 3))
    test = images(network, 3)
    eps = 0.6
    found = analyse_model(network, test, LogitLine(images=3, points=41, halvings=8, eps=eps)).table
    for i, line in found.groupby("index"):
        x = test.pixels[int(str(i))].clone().requires_grad_()
        loss = nn.functional.cross_entropy(network(x[None]), test.labels[int(str(i))][None])
        sign = torch.autograd.grad(loss, x)[0].sign().flatten().double()
        first = network[1].double()
        before = first(x.detach().flatten().double())
        speed = first.weight @ sign
        network.float()
        kinks = -before / speed  # each hidden unit bends once, where its input is zero
        assert line["pieces"].iloc[0] == 1 + int((kinks.abs() < eps).sum())


def test_a_network_that_bends_everywhere_has_no_number_of_pieces() -> None:
    network = nn.Sequential(linear(3), nn.Tanh())
    found = analyse_model(network, images(network), LogitLine(images=2, eps=0.5))
    assert isnan(found["pieces"])
