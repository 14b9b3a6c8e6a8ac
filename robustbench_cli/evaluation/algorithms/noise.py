"""Random noise: the floor that every attack must beat.

A network that falls to noise more often than to gradients hides its gradients (Carlini et al. 2019,
"On Evaluating Adversarial Robustness", arXiv:1902.06705).
Cost per epsilon: up to `draws` forwards, no backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class RepeatedNoise(Attack):
    """Its variants differ by norm, and so by the noise."""

    foolbox: ClassVar[Any]  # the class of Foolbox that draws it
    access: ClassVar[Literal["none"]] = "none"

    draws: int = param(100, "noise images per sample and epsilon", low=1)

    def build(self, eps: float | None) -> Any:
        return self.foolbox(repeats=self.draws, check_trivial=False)
