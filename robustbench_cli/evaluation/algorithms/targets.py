"""Targeted attacks: the class that each sample shall be taken for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.network import Clean
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class Targeted(Attack):
    """An attack that can aim. With a target, only reaching it counts as success."""

    target: Literal["none", "next", "random", "least-likely"] = param(
        "none", "class to reach; none: any but the label"
    )


def choose_targets(attack: Attack, labels: Tensor, clean: Clean, seed: int) -> Tensor | None:
    """(N,) classes, or None where any wrong class will do.

    next: label + 1, cyclic. random: uniform over the other classes, a function of `seed`.
    least-likely: the smallest logit for the unchanged image (Kurakin et al. 2017).
    """
    if not isinstance(attack, Targeted) or attack.target == "none":
        return None
    if attack.target == "least-likely":
        return clean.least_likely
    step: int | Tensor = 1
    if attack.target == "random":
        drawn = np.random.default_rng([seed, 2]).integers(1, clean.classes, len(labels))
        step = torch.from_numpy(drawn).to(labels.device)
    return (labels + step) % clean.classes
