"""Train on convex combinations of pairs of images and of their labels.

Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018, arXiv 1710.09412.
λ ~ Beta(α, α); x̃ = λx + (1-λ)x[π], ỹ = λy + (1-λ)y[π] with a permutation π of the batch. One λ per
batch, as in the authors' code; `per-sample` draws one for each image. α = 0 is plain training.
Cost per step: 1 forward, 1 backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Method, Step
from robustbench_cli.training.mixing.draws import mixed


@dataclass(kw_only=True)
class Mixup(Method):
    """Mixes the batch before everything that stands to its right."""

    resamples: ClassVar[bool] = True
    alpha: float = param(1.0, "both parameters of the Beta distribution of λ", low=0)
    per_sample: bool = param(False, "draw λ for every image instead of every batch")

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        return rest(model, mixed(batch, self.alpha, self.per_sample))
