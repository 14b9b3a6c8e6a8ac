"""Targeted attacks: with a `target`, only reaching that class counts as success.

next: the label's number + 1, cyclic. random: one of the other classes, the same for the same seed.
least-likely: the smallest logit for the unchanged image (Kurakin et al. 2017). A number: that class
for all; samples that have it as their label are never attacked. none: any class but the label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.network import Clean
from robustbench_cli.spec import param

WORDS = "none", "next", "random", "least-likely"


@dataclass(kw_only=True)
class Targeted(Attack):
    """An attack that can aim. With a target, only reaching it counts as success."""

    target: str = param(
        "none",
        "class to reach: next, random, least-likely, or a number, which leaves samples of that "
        "class alone; none: any but the label",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target not in WORDS and not (self.target.isascii() and self.target.isdecimal()):
            raise UsageError(
                f"{self.name}: target={self.target} is none of {', '.join(WORDS)}, nor the number "
                "of a class, such as 3"
            )


def at_target(rows: pd.DataFrame) -> list[dict[str, object]]:
    """Per epsilon, how many of the samples of other classes are taken for their target."""
    aimed = rows[rows["label"] != rows["target"]]
    hit = aimed["prediction"] == aimed["target"]
    return [
        {"eps": str(eps), "reached": int(part.sum()), "n": len(part)}
        for eps, part in hit.groupby(aimed["eps"], sort=False)
    ]


def choose_targets(attack: Attack, labels: Tensor, clean: Clean, seed: int) -> Tensor | None:
    """(N,) classes, or None where any wrong class will do; random ones are a function of `seed`.

    A number is the target of every sample, also where it is the label.

    Raises:
        UsageError: the network has no such class.
    """
    if not isinstance(attack, Targeted) or attack.target == "none":
        return None
    if attack.target == "least-likely":
        return clean.least_likely
    if attack.target.isdecimal():
        if int(attack.target) >= clean.classes:
            raise UsageError(
                f"{attack.name}: target={attack.target}, but the classes are 0 to "
                f"{clean.classes - 1}"
            )
        return torch.full_like(labels, int(attack.target))
    step: int | Tensor = 1
    if attack.target == "random":
        drawn = np.random.default_rng([seed, 2]).integers(1, clean.classes, len(labels))
        step = torch.from_numpy(drawn).to(labels.device)
    return (labels + step) % clean.classes
