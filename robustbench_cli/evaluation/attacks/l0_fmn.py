"""Fast minimum-norm: a ball that shrinks while the point inside is adversarial, in L0.

Pintor et al. 2021, "Fast Minimum-norm Adversarial Attacks through Adaptive Norm Constraints",
arXiv:2102.12827.

    x' <- project(x' + step · g / ||g||_2, eps'),   eps' <- (1 - gamma) · eps' if x' is adversarial

with g the gradient of max_{i != y} z_i - z_y; step and gamma fall to 1 % of their first values.
Epsilon counts changed values: a pixel of a colour image has three. The ball changes by one value
at least.
Minimal-norm: runs once for all epsilons. Cost: `steps` forwards and backwards; twice as many,
and some twenty forwards, where the first walk finds nothing.
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
