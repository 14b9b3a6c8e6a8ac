"""Interpolated adversarial training: mixup of clean images and mixup of attacked ones, half each.

Lamb et al., "Interpolated Adversarial Training", AISec 2019, arXiv 1906.06784.
½ L(mixup(x)) + ½ L(mixup(x')): x' by projected ascent from the images before they are mixed; λ and
the permutation are drawn independently for both. This is the composition
`pgd-at:clean=0.5,steps=7+mixup`, bit for bit, under one name; write that one to exchange a part
(`pgd-at:clean=0.5+manifold-mixup` is the paper's other variant). `alpha` is mixup's; 7 steps of
2/255 at 8/255 in the paper.
Cost per step: steps+2 forwards and backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.adversarial.adversary import Adversarial
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Step
from robustbench_cli.training.mixing.draws import mixed
from robustbench_cli.training.objective import cross_entropy


@dataclass(kw_only=True)
class InterpolatedTraining(Adversarial):
    """Trains on both mixtures in one step."""

    resamples: ClassVar[bool] = True
    steps: int = param(7, "gradient steps per batch", low=1)
    alpha: float = param(1.0, "both parameters of the Beta distribution of λ", low=0)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        x = self.perturb(model, batch.x, lambda logits: cross_entropy(logits, batch.y))
        attacked = rest(model, mixed(batch.replace(x=x), self.alpha))
        natural = rest(model, mixed(batch, self.alpha))
        return natural._replace(loss=0.5 * natural.loss + 0.5 * attacked.loss)
