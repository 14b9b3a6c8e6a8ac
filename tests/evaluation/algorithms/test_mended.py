"""What was put right in Foolbox's attacks, beside what Foolbox does."""

from __future__ import annotations

import torch
from eagerpy.astensor import astensor
from foolbox.attacks.fast_minimum_norm import L2FMNAttack
from foolbox.attacks.sparse_l1_descent_attack import SparseL1DescentAttack

from robustbench_cli.evaluation.algorithms.mended import (
    ProjectedL0FMN,
    ProjectedL2FMN,
    ProjectedSparseL1,
    onto_l1,
)


def test_l2_projection_shrinks_what_is_outside_alone() -> None:
    torch.manual_seed(0)
    x0, radius = torch.rand(2, 1, 3, 3), torch.tensor([1.0, 1.0])
    x = x0 + torch.tensor([0.1, 5.0])[:, None, None, None]
    plain = L2FMNAttack().project(astensor(x), astensor(x0), astensor(radius)).raw
    mended = ProjectedL2FMN().project(astensor(x), astensor(x0), astensor(radius)).raw
    assert torch.allclose(plain, x)  # the slip
    assert torch.allclose(mended[0], x[0])
    assert torch.allclose((mended - x0)[1].norm(), torch.tensor(1.0))


def test_l0_projection_keeps_as_many_as_allowed_up_to_all() -> None:
    change = torch.tensor([[0.1, -0.9, 0.5, 0.2], [0.4, 0.3, 0.2, 0.1]]).reshape(2, 1, 2, 2)
    x0, count = torch.zeros(2, 1, 2, 2), torch.tensor([2.0, 4.0])
    found = ProjectedL0FMN().project(astensor(change), astensor(x0), astensor(count)).raw
    assert (
        found.flatten(1).tolist()
        == torch.tensor([[0, -0.9, 0.5, 0], [0.4, 0.3, 0.2, 0.1]]).tolist()
    )


def test_l1_projection_leaves_what_is_inside() -> None:
    x0 = torch.zeros(2, 1, 2, 2)
    x = torch.tensor([[0.1, 0.1, 0.0, 0.0], [2.0, 1.0, 0.5, 0.0]]).reshape(2, 1, 2, 2)
    plain = SparseL1DescentAttack().project(astensor(x), astensor(x0), 1.0).raw
    mended = ProjectedSparseL1().project(astensor(x), astensor(x0), 1.0).raw
    assert plain[0].abs().sum() > x[0].abs().sum()  # the slip
    assert torch.equal(mended[0], x[0])
    assert torch.allclose(mended[1].flatten(), torch.tensor([1.0, 0, 0, 0]))


def test_l1_projection_is_the_nearest_point() -> None:
    """Against many points of the ball; and one radius for each."""
    torch.manual_seed(0)
    change, radius = torch.randn(1, 1, 2, 2), 0.7
    nearest = onto_l1(change, radius)
    points = torch.randn(5000, 4)
    points = points / points.abs().sum(1, keepdim=True) * radius * torch.rand(5000, 1)
    apart = (points - change.flatten()).norm(dim=1).min()
    assert float((nearest - change).norm()) <= float(apart) + 1e-6
    both = onto_l1(change.expand(2, 1, 2, 2), torch.tensor([0.7, 1e6]))
    assert torch.allclose(both[0], nearest[0]) and torch.allclose(both[1], change[0])
