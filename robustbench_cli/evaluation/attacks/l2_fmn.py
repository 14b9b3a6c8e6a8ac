"""Fast minimum-norm: a ball that shrinks while the point inside is adversarial, in L2.

Until the first adversarial, eps' = ||x' - x||_2 + |lead of the label| / ||g||_2. The
projection scales the change to the ball; that of Foolbox leaves it as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from robustbench_cli.evaluation.algorithms.fmn import FastMinimumNorm
from robustbench_cli.evaluation.algorithms.mended import ProjectedL2FMN
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L2FMN(FastMinimumNorm):
    norm: ClassVar[Norm] = "l2"
    foolbox: ClassVar[Any] = ProjectedL2FMN
