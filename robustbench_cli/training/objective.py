"""Methods wrapped around one loss; the batch flows through them from left to right."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.errors import CompositionError, UsageError
from robustbench_cli.models.model import Model

from .batch import Batch, Outcome, training_forward
from .method import Method, Step, overrides

_log = logging.getLogger(__name__)

Loss = Literal["ce", "bce"]


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Mean over the batch of -Σ_c y_c log softmax(logits)_c; computed in float32."""
    return F.cross_entropy(logits.float(), y.float())


def binary_cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Mean over batch *and* classes of the binary cross entropy of softmax(logits) against y.

    The loss of the published manifold mixup and PuzzleMix code; its gradient is about
    1 / classes of cross entropy's.
    """
    p = logits.float().softmax(1).clamp(1e-6, 1 - 1e-6)
    return -(y * p.log() + (1 - y) * (-p).log1p()).mean()


def weighted_cross_entropy(logits: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Σ_bc w_c y_bc (-log softmax(logits)_bc) / Σ_bc w_c y_bc; weights w (classes,).

    For hard labels that of `torch.nn.functional.cross_entropy` with `weight`.
    """
    mass = y.float() * weights
    return -(mass * logits.float().log_softmax(1)).sum() / mass.sum().clamp(min=1e-12)


LOSSES: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    "ce": cross_entropy,
    "bce": binary_cross_entropy,
}


class Objective:
    """``objective(batch)`` is what training minimises: an :class:`Outcome`.

    Building it installs the methods into the model. `weights` (classes,): what each class counts
    in cross entropy, whatever method shows it images; None: all the same.

    Raises:
        CompositionError: an order, or a pair, that has no meaning; says which order has.
        UsageError: weights where they would reach only a part of the loss.
    """

    def __init__(
        self,
        model: Model,
        methods: Sequence[Method],
        loss: Loss = "ce",
        weights: Tensor | None = None,
    ) -> None:
        check(methods)
        criterion = LOSSES[loss]
        if weights is not None:
            refuse_weights(methods, loss)
            criterion = partial(weighted_cross_entropy, weights=weights)
        for method in methods:
            method.install(model)
            if method.lacks:
                text = "%s: the network has no %s, so this part does nothing"
                _log.warning(text, method.name, method.lacks)
        step: Step = partial(_innermost, methods, criterion)
        for method in reversed(methods):
            if overrides(method, "step"):
                step = partial(method.step, rest=step)
        self.model, self.methods, self._step = model, tuple(methods), step

    def __call__(self, batch: Batch) -> Outcome:
        return self._step(self.model, batch)

    @property
    def steps_per_batch(self) -> int:
        return max((method.steps_per_batch for method in self.methods), default=1)


def _innermost(
    methods: Sequence[Method],
    loss: Callable[[Tensor, Tensor], Tensor],
    model: Model,
    batch: Batch,
) -> Outcome:
    with training_forward(batch) as forward:
        logits = model(batch.x)
    y = forward.batch.y  # a layer may have changed what the samples stand for
    for method in methods:
        y = method.targets(logits, y)
    total = loss(logits, y)
    for penalty in forward.penalties:
        total = total + penalty
    return Outcome(total, logits)


def refuse_weights(methods: Sequence[Method], loss: Loss) -> None:
    """
    Raises:
        UsageError: classes cannot be weighted in everything that this training minimises.
    """
    if loss != "ce":
        raise UsageError(f"--class-weights are for --loss ce, not for {loss}")
    for method in methods:
        if method.own_loss:
            raise UsageError(
                f"--class-weights do not reach the loss that {method.name} adds of its own; "
                "leave one of them out"
            )


def check(methods: Sequence[Method]) -> None:
    """Refuse orders and pairs that mean nothing."""
    for first, later in combinations(methods, 2):
        if type(first) is type(later):
            raise CompositionError(f"{first.name} is given twice: keep one")
        if first.replaces and first.replaces == later.replaces:
            raise CompositionError(
                f"{first.name} and {later.name} both replace the {first.replaces}: keep one"
            )
        if first.finishes and overrides(later, "install"):
            raise CompositionError(
                f"{first.name} needs the network as {later.name} leaves it, so it comes last: "
                f"{later}+{first}"
            )
        if first.innermost and overrides(later, "step") and not later.innermost:
            raise CompositionError(
                f"{first.name} reads the last forward, so it comes last: {later}+{first}"
            )
        if first.compares and later.resamples:
            raise CompositionError(
                f"{first.name} compares two forwards and {later.name} would draw each anew: "
                f"{later}+{first}"
            )
