"""HopSkipJump: the boundary's normal from decisions alone, a jump along it, a way back, in Linf.

Chen et al. 2020, "HopSkipJumpAttack: A Query-Efficient Decision-Based Attack", arXiv:1904.02144.

    g  = mean of +u or -u, as x' + delta · u is adversarial or not, u random
    x' <- the boundary on the line from x to x' + step · sign(g)

It starts where the boundary attack does: at the nearest image of the evaluation set that the
network puts into another class, else at noise. A sample without a start counts as not broken and
is listed. The last point oversteps the boundary by a thousandth, so that the verdict is stable.
Minimal-norm: runs once for all epsilons. Cost: about `evals` · steps^1.5 · 2/3 forwards (34,000
with the defaults), and some fifty per step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.hop_skip_jump import HopSkipJump
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfHopSkipJump(HopSkipJump):
    norm: ClassVar[Norm] = "linf"
