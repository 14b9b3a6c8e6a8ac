"""What attacks maximise: losses of logits (n, classes), one value (n,) per sample.

Croce & Hein 2020, arXiv:2003.01690, for the difference of logits ratio. Unlike cross-entropy, the
ratio does not change when the logits are scaled or shifted, so that it cannot be flattened by
large logits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Logits (n, classes), labels (n,), classes to aim at (n,) -> (n,); not all of them aim."""

_TINY = 1e-12


def cross_entropy(logits: Tensor, labels: Tensor, aims: Tensor) -> Tensor:
    """``-log softmax(z)_y``."""
    return F.cross_entropy(logits, labels, reduction="none")


def margin(logits: Tensor, labels: Tensor, aims: Tensor | None = None) -> Tensor:
    """``max_{i != y} z_i - z_y``: above 0 where another class wins."""
    others = logits.scatter(1, labels[:, None], -float("inf"))
    return others.amax(1) - _at(logits, labels)


def dlr(logits: Tensor, labels: Tensor, aims: Tensor) -> Tensor:
    """``(max_{i != y} z_i - z_y) / (z_(1) - z_(3))``, z_(k) the k-th largest; 3 classes or more."""
    top = logits.topk(3, dim=1).values
    return margin(logits, labels) / (top[:, 0] - top[:, 2] + _TINY)


def targeted_dlr(logits: Tensor, labels: Tensor, aims: Tensor) -> Tensor:
    """``(z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2)`` for a class t; 4 classes or more."""
    top = logits.topk(4, dim=1).values
    spread = top[:, 0] - (top[:, 2] + top[:, 3]) / 2
    return (_at(logits, aims) - _at(logits, labels)) / (spread + _TINY)


def _at(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None])[:, 0]
