"""Attacks that run another attack: norm and epsilons are those of the attack inside.

Its spec is the value of `attack`, with + between its parameters in place of the comma. It must have
no target, and not run yet another attack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import build, param


def read(text: str) -> Attack:
    """``linf-pgd:steps=20+restarts=2``: inside a spec, a plus sign stands for the comma."""
    return build(Attack, re.sub(r"\+(?=\s*[A-Za-z])", ",", text))


@dataclass(kw_only=True)
class Wrapping(Attack):
    """Runs `inner`. Its norm is not known before it is built, so it is the object's own."""

    norm: ClassVar[Norm] = "linf"

    attack: str = param("linf-pgd", "spec of the attack inside, its parameters joined by +")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.inner = read(self.attack)
        if isinstance(self.inner, Wrapping):
            raise UsageError(f"{self.name} cannot wrap {self.inner.name}; name a plain attack")
        if self.inner.aims:
            raise UsageError(f"{self.name} wraps untargeted attacks; leave out target=")
        for trait in ("norm", "budget", "one_step", "access"):
            vars(self)[trait] = getattr(self.inner, trait)
