"""Auto-PGD on the cross-entropy: momentum, and a step size that needs no tuning, in Linf.

Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks", arXiv:2003.01690.

    loss = -log softmax(z)_y,   direction = sign(gradient)

`algorithms/apgd.py` has the step. Cost per restart and epsilon: `steps` forwards and backwards, and
two forwards; a sample leaves with its first adversarial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.apgd import AutoPGD
from robustbench_cli.evaluation.algorithms.losses import Loss, cross_entropy
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class LinfAPGDCE(AutoPGD):
    norm: ClassVar[Norm] = "linf"
    loss: ClassVar[Loss] = cross_entropy
