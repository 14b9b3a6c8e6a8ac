"""Expectation over transformation: another attack, on the mean of many draws of a random network.

Athalye et al. 2018, "Synthesizing Robust Adversarial Examples" and "Obfuscated Gradients Give a
False Sense of Security", arXiv:1707.07397 and arXiv:1802.00420. For defences that draw random
numbers in their forward pass: one draw's gradient says little about the next.

    z(x) = mean of `draws` logits;   the attack sees z alone

Softmax, margin and ratios of z are those of the geometric mean of the drawn probabilities. The
verdict comes from the network itself, in one draw, so a sample that wavers can fall either way.
Written as `eot:attack=linf-apgd-ce:steps=50+restarts=2,draws=20`. Cost: `draws` times the inner
attack's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from foolbox.models.base import Model
from foolbox.types import Bounds

from robustbench_cli.evaluation.algorithms.wrapping import Wrapping
from robustbench_cli.evaluation.attack import Crafted, Samples
from robustbench_cli.spec import param


class Averaged(Model):
    """The mean logits of several draws."""

    def __init__(self, model: Model, draws: int) -> None:
        self._model, self._draws = model, draws

    @property
    def bounds(self) -> Bounds:
        return self._model.bounds

    def __call__(self, inputs: Any) -> Any:
        total = self._model(inputs)
        for _ in range(self._draws - 1):
            total = total + self._model(inputs)
        return total / self._draws


@dataclass(kw_only=True)
class EOT(Wrapping):
    draws: int = param(20, "forward passes that are averaged", low=1)

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        return next(self.craft_grid(model, samples, [eps]))

    def craft_grid(
        self, model: Model, samples: Samples, epsilons: Sequence[float | None]
    ) -> Iterator[Crafted]:
        """The inner attack's images, without its claims: they are about the mean."""
        for found in self.inner.craft_grid(Averaged(model, self.draws), samples, epsilons):
            yield replace(found, claimed=None)
