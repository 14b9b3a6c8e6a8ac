"""Basic iterative method: gradient sign steps from the image itself, in Linf.

Kurakin et al. 2017, "Adversarial Examples in the Physical World", arXiv:1607.02533.

    direction = sign(d loss / d x'),   x' starts at x

The paper steps by 1/255. No randomness, and so no restarts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from foolbox.attacks.basic_iterative_method import LinfBasicIterativeAttack

from robustbench_cli.evaluation.algorithms.descent import Descent
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class LinfBIM(Descent):
    norm: ClassVar[Norm] = "linf"
    foolbox: ClassVar[Any] = LinfBasicIterativeAttack

    steps: int = param(10, "gradient steps", low=1)
