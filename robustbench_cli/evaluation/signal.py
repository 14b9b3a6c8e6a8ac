"""The contract of a signal: a few numbers measured on a network, for the checks to read.

A signal is measured once for each evaluation, on a small sample, after the rows are made; it never
changes them. One that reads nothing of the attack is measured in full for the first evaluation, and
its numbers go into the records of the others, too. What the numbers mean is for the checks to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import Eps
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import Plugin

from .algorithms.aiming import SURE
from .algorithms.union import Union
from .attack import Attack
from .network import logits

Effort = Literal["full", "quick", "off"]
Numbers = Mapping[str, float | str]
POOL = 1000
"""Signals look at the first so many evaluated images at most."""


@dataclass(kw_only=True)
class Signal(Plugin):
    """One measurement; one file in signals/ each."""

    room: ClassVar[str] = "signals"
    fewest: ClassVar[int] = 8  # samples that make the measurement worth its time
    most: ClassVar[int] = 64  # four times as many in full
    ranks: ClassVar[bool] = False  # whether it begins with the most doubtful survivors
    shared: ClassVar[bool] = False  # whether the attack makes no difference to it

    def calls(self, scene: Scene, effort: Effort) -> int:
        """Forward and backward passes per sample; 0 where there is nothing to measure."""
        raise NotImplementedError

    def measure(self, scene: Scene, n: int, effort: Effort) -> Numbers:
        """From at most `n` samples."""
        raise NotImplementedError


@dataclass(frozen=True)
class Scene:
    """A finished evaluation and all that it was made of.

    network: in eval mode, its parameters frozen; pixels (N, C, H, W) in [0, 1] -> logits.
    """

    network: nn.Module
    images: Images
    evaluation: Evaluation
    attack: Attack
    seed: int

    @property
    def defended(self) -> bool:
        """Whether something stands before the network at test time."""
        record = self.evaluation.record
        put = record.get("identity", {}).get("defence")
        return bool(put) or hasattr(self.network, "forwards")

    @cached_property
    def pool(self) -> Images:
        """The images that signals may look at."""
        return self.images[:POOL]

    @cached_property
    def right(self) -> Tensor:
        """Positions in the pool that are classified right unchanged."""
        first = self.evaluation.samples.drop_duplicates("index").sort_values("index")
        kept = (first["clean"] == first["label"]).to_numpy(copy=True)[: len(self.pool)]
        return torch.from_numpy(kept).nonzero()[:, 0].to(self.images.labels.device)

    def first(self, n: int) -> tuple[Tensor, Tensor]:
        """x (n, C, H, W) and labels (n,) of images that are classified right, fewer if need be."""
        chosen = self.pool[self.right[:n]]
        return chosen.x, chosen.labels

    @cached_property
    def eps(self) -> Eps | None:
        """The epsilon above 0 that breaks nearest to half of what is right; None if there is none.

        There a weakness of the attack shows most, and of equals at the largest.
        """
        accuracy = self.evaluation.accuracy()
        half = self.evaluation.clean_accuracy / 2
        found = zip(self.evaluation.epsilons, accuracy["accuracy"], strict=True)
        above = [
            (abs(value - half), -eps.value, eps) for eps, value in found if eps.value and value
        ]
        return min(above)[2] if above else None

    @cached_property
    def survivors(self) -> Tensor:
        """Positions in the pool that the attack left unbroken at `eps`."""
        if self.eps is None:
            return self.right[:0]
        rows = self.evaluation.samples
        here = rows[rows["eps"].isin([e.text for e in self.evaluation.epsilons if e == self.eps])]
        here = here.sort_values("index")[: len(self.pool)]
        survived = (here["prediction"] == here["label"]).to_numpy(copy=True)
        return torch.from_numpy(survived).nonzero()[:, 0].to(self.images.labels.device)

    @cached_property
    def doubtful(self) -> Tensor:
        """The survivors, those first whose clean prediction leads by least."""
        leads = [self._lead(self.pool[part]) for part in torch.split(self.survivors, 256)]
        return self.survivors[torch.cat(leads).argsort(stable=True)]

    @property
    def ranking(self) -> int:
        """How many forwards `doubtful` would cost now."""
        return 0 if "doubtful" in self.__dict__ else len(self.survivors)

    def _lead(self, images: Images) -> Tensor:
        """By how much the logit of the label leads the next, relative to the spread of all."""
        found = logits(self.network, images.x)
        return -margin(found, images.labels) / found.std(1).clamp(min=1e-12)


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """(n,): the largest other logit minus that of the label; above 0 where misclassified."""
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return (others.amax(1, keepdim=True) - own)[:, 0]


def stronger(attack: Attack) -> Attack | None:
    """The same attack with twice the steps (or queries, restarts, draws); None if it has none."""
    for name in ("steps", "queries", "restarts", "draws"):
        value = attack.settings.get(name)
        if isinstance(value, int):
            return replace(attack, **{name: 2 * value})
    return None


def passes(attack: Attack) -> int:
    """About how many forwards and backwards an attack takes per sample and epsilon; 0: unknown.

    With patience, most samples are given up before a fourth of the work; what is for samples that
    are near, restarts and targets after the third, is little.
    """
    if isinstance(attack, Union):
        return sum(map(passes, attack.members(classes=10)))
    given = {key: value for key, value in attack.settings.items() if isinstance(value, int)}
    inner = getattr(attack, "inner", None)
    if isinstance(inner, Attack):
        return passes(inner) * given.get("draws", 1)
    both = 2 if attack.access == "gradient" else 1
    targets = given.get("targets", 0)
    if attack.settings.get("far") is not None:
        targets = min(targets, SURE)
    steps = given.get("steps", 0) * both * (1 + targets)
    asked = given.get("queries", 0) or (0 if steps else given.get("draws", 0))
    starts = given.get("restarts", 1) if attack.settings.get("near") is None else 1
    whole = (steps + asked) * starts
    return whole if attack.settings.get("patience") is None else whole // 4
