"""Auto-PGD towards each of the likeliest other classes in turn, in Linf.

Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks", arXiv:2003.01690; the strongest gradient attack of their AutoAttack.

    loss = (z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2),   z_(k) the k-th largest logit

for the `targets` classes t that the network finds likeliest after the label y; any wrong class
counts. Needs four classes or more. `algorithms/apgd.py` has the step. Cost per restart, target and
epsilon: `steps` forwards and backwards, and three forwards; a sample leaves with its first
adversarial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.apgd import TargetedAutoPGD
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfAPGDT(TargetedAutoPGD):
    norm: ClassVar[Norm] = "linf"
