"""Fast minimum-norm: a ball that shrinks while the point inside is adversarial, in L1.

Until the first adversarial, eps' = ||x' - x||_1 + |lead of the label| / ||g||_inf.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.fast_minimum_norm import L1FMNAttack

from robustbench_cli.evaluation.algorithms.fmn import FastMinimumNorm
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L1FMN(FastMinimumNorm):
    norm: ClassVar[Norm] = "l1"
    foolbox: ClassVar[Any] = L1FMNAttack
