"""Square attack in L2: a random search that moves a budget between squares, led by scores alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from robustbench_cli.evaluation.algorithms.square_bumps import BumpSearch
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L2Square(BumpSearch):
    norm: ClassVar[Norm] = "l2"
    order: ClassVar[Literal[1, 2]] = 2
