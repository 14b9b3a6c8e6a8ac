"""Auto-PGD on the difference of logits ratio, which no scale of the logits flattens, in L2.

Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks", arXiv:2003.01690.

    loss = (max_{i != y} z_i - z_y) / (z_(1) - z_(3)),   z_(k) the k-th largest logit

Needs three classes or more. `algorithms/apgd.py` has the step. Cost per restart and epsilon:
`steps` forwards and backwards, and two forwards; a sample leaves with its first adversarial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.apgd import AutoPGD
from robustbench_cli.evaluation.algorithms.losses import Loss, dlr
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L2APGDDLR(AutoPGD):
    norm: ClassVar[Norm] = "l2"
    loss: ClassVar[Loss] = dlr
    classes: ClassVar[int] = 3
