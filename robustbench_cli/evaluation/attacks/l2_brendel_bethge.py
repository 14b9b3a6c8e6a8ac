"""Brendel & Bethge: steps along the decision boundary towards the image, in L2.

Brendel, Rauber, Kümmerer, Ustyuzhaninov & Bethge 2019, "Accurate, reliable and fast robustness
evaluation", arXiv:1907.01003.

    minimise  ||x - x' - d||_2  such that  b·d = c,  ||d||_2 <= r  and  x' + d is in [0, 1]

with b the gradient of the lead of the label at x' (averaged over the steps), c what is left of
that lead, and r a trust region that shrinks. x' starts at an adversarial: the nearest image of the
evaluation set in another class, drawn closer, else noise. Foolbox lets r grow with the number of
images in the batch; here it does not. The last point oversteps the boundary by a ten-thousandth.
Needs numba (pip install "robustmix[brendel-bethge]"), which first compiles for a minute or so.
Minimal-norm: runs once for all epsilons. Cost: `steps` forwards and backwards, some twenty
forwards, and a solver on the CPU for each sample and step. Foolbox's own default is 1,000 steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.brendel_bethge import L2BrendelBethgeAttack

from robustbench_cli.evaluation.algorithms.brendel_bethge import BrendelBethge
from robustbench_cli.evaluation.verification.ball import Norm


@dataclass(kw_only=True)
class L2BrendelBethge(BrendelBethge):
    norm: ClassVar[Norm] = "l2"
    foolbox: ClassVar[Any] = L2BrendelBethgeAttack
