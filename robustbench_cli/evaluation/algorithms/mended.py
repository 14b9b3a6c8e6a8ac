"""Attacks of Foolbox 3.3.4 with a slip put right; each class says which.

The rest of each attack is Foolbox's own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from eagerpy.astensor import astensor
from eagerpy.tensor.tensor import Tensor as Eager
from foolbox.attacks.fast_minimum_norm import L0FMNAttack, L2FMNAttack
from foolbox.attacks.hop_skip_jump import HopSkipJumpAttack
from foolbox.attacks.sparse_l1_descent_attack import SparseL1DescentAttack
from torch import Tensor

from robustbench_cli.evaluation.verification.ball import largest

_TINY = 1e-12


class ProjectedL2FMN(L2FMNAttack):
    """Projects onto the ball. Foolbox's `project` scales by norm / norm, so it never shrinks."""

    def project(self, x: Eager, x0: Eager, epsilon: Eager) -> Eager:
        change = x.raw - x0.raw
        lengths = change.flatten(1).norm(dim=1).clamp(min=_TINY)
        factor = (epsilon.raw / lengths).clamp(max=1)
        return _eager(x0.raw + change * factor[:, None, None, None])


class ProjectedL0FMN(L0FMNAttack):
    """Keeps the `epsilon` largest changes. Foolbox keeps one more, and fails where it is all."""

    def project(self, x: Eager, x0: Eager, epsilon: Eager) -> Eager:
        return _eager(x0.raw + largest(x.raw - x0.raw, epsilon.raw))


class ProjectedSparseL1(SparseL1DescentAttack):
    """Projects each sample by itself, exactly. Foolbox enlarges perturbations inside the ball as
    soon as one of the batch lies outside, and counts one value too many for the threshold."""

    def project(self, x: Eager, x0: Eager, epsilon: float | Tensor) -> Eager:
        return _eager(x0.raw + onto_l1(x.raw - x0.raw, epsilon))


class UnitHopSkipJump(HopSkipJumpAttack):
    """Steps of a length of their own. Foolbox divides by the norm of the whole batch's gradients,
    so that steps are the shorter the larger the batch is."""

    def approximate_gradients(
        self, is_adversarial: Callable[[Eager], Eager], x_advs: Eager, steps: int, delta: Eager
    ) -> Eager:
        found = super().approximate_gradients(is_adversarial, x_advs, steps, delta).raw
        lengths = found.flatten(1).norm(dim=1).clamp(min=_TINY)
        return _eager(found / lengths[:, None, None, None])


def onto_l1(change: Tensor, radius: float | Tensor) -> Tensor:
    """The nearest point of the L1 ball (Duchi et al. 2008); (n, C, H, W), one radius or (n,)."""
    size = change.flatten(1).abs()
    ordered = size.sort(dim=1, descending=True).values
    excess = ordered.cumsum(1) - torch.as_tensor(radius).to(change).reshape(-1, 1)
    count = torch.arange(1, size.shape[1] + 1, device=size.device)
    last = (ordered * count > excess).sum(1, keepdim=True).clamp(min=1)
    threshold = (excess.gather(1, last - 1) / last).clamp(min=0)
    return (change.flatten(1).sign() * (size - threshold).clamp(min=0)).reshape(change.shape)


def _eager(values: Tensor) -> Eager:
    wrapped: Eager = astensor(values)
    return wrapped
