"""One step along the gradient at the image, which serves every epsilon.

    x' = clip(x + eps · direction)

The loss is the cross-entropy.
Cost: one forward and one backward for all epsilons together, one forward per epsilon.
The curve is shown raw: accuracy that rises with eps is evidence of masked gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import eagerpy as ep
from eagerpy.astensor import astensor
from foolbox.models.base import Model

from robustbench_cli.evaluation.attack import Attack, Crafted, Samples
from robustbench_cli.evaluation.verification.ball import into_ball


@dataclass(kw_only=True)
class OneStep(Attack):
    """``x + eps · direction``, where the direction does not depend on eps."""

    one_step: ClassVar[bool] = True

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        return next(self.craft_grid(model, samples, [eps]))

    def craft_grid(
        self, model: Model, samples: Samples, epsilons: Sequence[float | None]
    ) -> Iterator[Crafted]:
        """Foolbox's own pieces in the order of its `run`, the gradient taken once.

        No claims: the verification's forward pass is the only one that an epsilon costs.
        """
        x = astensor(samples.x)
        tool = self.build(None)
        loss = tool.get_loss_fn(model, astensor(samples.labels))
        _, gradient = tool.value_and_grad(loss, x)
        direction = tool.normalize(gradient, x=x, bounds=model.bounds)
        for eps in epsilons:
            assert eps is not None
            moved = x + tool.get_optimizer(x, tool.rel_stepsize * eps)(direction)
            moved = ep.clip(tool.project(moved, x, eps), *model.bounds)
            yield Crafted(into_ball(samples.x, moved.raw, eps, self.norm))
