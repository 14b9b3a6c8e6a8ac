"""Fast minimum-norm: a ball that shrinks while the point inside is adversarial, in Linf.

Until the first adversarial, eps' = ||x' - x||_inf + |lead of the label| / ||g||_1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.fast_minimum_norm import LInfFMNAttack

from robustbench_cli.evaluation.algorithms.fmn import FastMinimumNorm
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfFMN(FastMinimumNorm):
    norm: ClassVar[Norm] = "linf"
    foolbox: ClassVar[Any] = LInfFMNAttack
