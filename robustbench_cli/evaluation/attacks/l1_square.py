"""Square attack in L1: the search of `l2-square` with a budget of absolute changes.

Croce & Hein 2021, arXiv:2103.01208.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from robustbench_cli.evaluation.algorithms.square_bumps import BumpSearch
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L1Square(BumpSearch):
    norm: ClassVar[Norm] = "l1"
    order: ClassVar[Literal[1, 2]] = 1
