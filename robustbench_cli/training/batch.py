"""What flows through training: a batch in, a loss and logits out, and the forward in progress."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """x: (N, C, H, W), pixels in [0, 1]. y: (N, classes), rows sum to 1.

    Labels are soft everywhere, so nobody branches on one-hot.
    """

    x: Tensor
    y: Tensor

    @classmethod
    def of(cls, x: Tensor, labels: Tensor, classes: int) -> Batch:
        """From integer labels (N,)."""
        return cls(x, F.one_hot(labels, classes).to(x.dtype))

    def replace(self, **changes: Tensor) -> Batch:
        return dataclasses.replace(self, **changes)

    def __len__(self) -> int:
        return len(self.x)


class Outcome(NamedTuple):
    """What a training step found: a scalar to minimise, and logits (N, classes)."""

    loss: Tensor
    logits: Tensor


@dataclass
class Forward:
    """The training forward in progress: what it is shown, and what its layers charge for.

    A layer that changes what a sample stands for replaces `batch`; one that costs something
    appends to `penalties`, which are added to the loss.
    """

    batch: Batch
    penalties: list[Tensor] = field(default_factory=list)


_current: ContextVar[Forward | None] = ContextVar("forward", default=None)


def current_forward() -> Forward | None:
    """None in evaluation and inside an attack: a layer must then charge and observe nothing."""
    return _current.get()


@contextmanager
def training_forward(batch: Batch) -> Iterator[Forward]:
    """Opened by the innermost objective only, around the forward whose loss is trained on."""
    token = _current.set(forward := Forward(batch))
    try:
        yield forward
    finally:
        _current.reset(token)
