"""Fast minimum-norm: a ball that shrinks while the point inside is adversarial, in L0.

Epsilon counts changed values: a pixel of a colour image has three. The ball starts with one value
and changes by one at least.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from robustbench_cli.evaluation.algorithms.fmn import FastMinimumNorm
from robustbench_cli.evaluation.algorithms.mended import ProjectedL0FMN
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L0FMN(FastMinimumNorm):
    norm: ClassVar[Norm] = "l0"
    foolbox: ClassVar[Any] = ProjectedL0FMN
