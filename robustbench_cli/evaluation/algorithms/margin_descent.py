"""The margin between the logits as the loss, which does not saturate where cross-entropy does.

Carlini & Wagner 2017, "Towards Evaluating the Robustness of Neural Networks", arXiv:1608.04644:
their f_6 without confidence.

    loss = max_{i != y} z_i - z_y

Aimed at a class t, it lets t's lead grow instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eagerpy.astensor import astensor
from eagerpy.tensor.tensor import Tensor as Eager
from foolbox.models.base import Model

from .descent import ProjectedDescent
from .losses import margin


@dataclass(kw_only=True)
class MarginDescent(ProjectedDescent):
    """Its variants differ by norm: each puts `OnMargin` before Foolbox's class."""


class OnMargin:
    """Put before an attack of Foolbox's gradient descent, lets it climb the margin."""

    def get_loss_fn(self, model: Model, labels: Eager) -> Callable[[Eager], Eager]:
        """As Foolbox's: it raises the loss of the labels, or lowers that of a target."""

        def loss(inputs: Eager) -> Eager:
            return astensor(margin(model(inputs).raw, labels.raw).sum())

        return loss
