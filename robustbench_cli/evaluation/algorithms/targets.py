"""Targeted attacks: with a `target`, only reaching that class counts as success.

next: the label's number + 1, cyclic. random: one of the other classes, the same for the same seed.
least-likely: the smallest logit for the unchanged image (Kurakin et al. 2017). A number, from 0, or
the name of a class: that one for all; samples that have it as their label are never attacked. none:
any class but the label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import torch
from torch import Tensor

from robustbench_cli.data.dataset import Images
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
        "class to reach: next, random, least-likely, or one class by number or name, which leaves "
        "samples of that class alone; none: any but the label",
    )

    @property
    def aims(self) -> bool:
        return self.target != "none"

    @property
    def fixed(self) -> bool:
        """Whether it aims at one class for all samples."""
        return self.target not in WORDS

    def number(self, classes: Sequence[str], count: int) -> int:
        """Of the class that it aims at, among `count`, where that is fixed; a number comes first.

        Raises:
            UsageError: there is no such class, or the number is another one's name.
        """
        known = f"a number from 0 to {count - 1}"
        if self.target.isascii() and self.target.isdecimal() and int(self.target) < count:
            found = int(self.target)
            if self.target in classes and classes.index(self.target) != found:
                raise UsageError(
                    f"{self.name}: target={self.target} is the number of the class "
                    f"{classes[found]!r} and the name of another, number "
                    f"{classes.index(self.target)}; rename the classes, so that one is meant"
                )
            return found
        if self.target in classes:
            return classes.index(self.target)
        if classes:
            near = get_close_matches(self.target, classes, 1)
            some = ", ".join(classes[:10]) + ", ..." * (len(classes) > 10)
            known += f", or a name: {f'did you mean {near[0]}?' if near else some}"
        words = ", ".join(WORDS)
        raise UsageError(f"{self.name}: no class {self.target!r}; type target={words}, {known}")


def choose_targets(attack: Attack, images: Images, clean: Clean, seed: int) -> Tensor | None:
    """(N,) classes, or None where any wrong class will do; random ones are a function of `seed`.

    A fixed class is the target of every sample, also where it is the label.

    Raises:
        UsageError: the network has no such class.
    """
    labels = images.labels
    if not isinstance(attack, Targeted) or not attack.aims:
        return None
    if attack.target == "least-likely":
        return clean.least_likely
    if attack.fixed:
        return torch.full_like(labels, attack.number(images.classes, clean.classes))
    step: int | Tensor = 1
    if attack.target == "random":
        drawn = np.random.default_rng([seed, 2]).integers(1, clean.classes, len(labels))
        step = torch.from_numpy(drawn).to(labels.device)
    return (labels + step) % clean.classes
