"""The contract of an attack: a named, printable set of parameters around a Foolbox attack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from foolbox.criteria import Criterion, Misclassification, TargetedMisclassification
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.data.dataset import Images
from robustbench_cli.spec import Plugin, parameters

from .chance import Chance
from .verification.ball import Norm, into_ball


@dataclass(frozen=True)
class Others:
    """The whole evaluation set and what the network says of it: images to start from."""

    images: Images
    prediction: Tensor  # (N,)


@dataclass(frozen=True)
class Samples:
    """What an attack works on.

    x: (n, C, H, W), float32 in [0, 1]. labels, targets: (n,); without targets any other class
    will do. chance: where random numbers for them come from.
    """

    x: Tensor
    labels: Tensor
    targets: Tensor | None = None
    others: Others | None = None
    chance: Chance = field(default_factory=Chance)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> Samples:
        targets = None if self.targets is None else self.targets[index]
        chance = self.chance.at(index)
        return Samples(self.x[index], self.labels[index], targets, self.others, chance)

    def joined(self, other: Samples) -> Samples:
        """These and then those; both with targets, or neither."""
        targets = self.targets
        if targets is not None and other.targets is not None:
            targets = torch.cat([targets, other.targets])
        x, labels = torch.cat([self.x, other.x]), torch.cat([self.labels, other.labels])
        return Samples(x, labels, targets, self.others, self.chance.joined([other.chance]))

    def reached(self, prediction: Tensor) -> Tensor:
        """Whether each class is what the attack wants: the target, or any but the label."""
        return prediction != self.labels if self.targets is None else prediction == self.targets

    @property
    def criterion(self) -> Criterion:
        """The same for Foolbox."""
        if self.targets is None:
            return Misclassification(self.labels)
        return TargetedMisclassification(self.targets)


@dataclass(frozen=True)
class Crafted:
    """What an attack made of its samples, before anybody has checked it.

    claimed: (n,), True where the attack says that it succeeded; None leaves the verdict to the
    verification alone. failed: why it could not try, by position.
    """

    images: Tensor
    claimed: Tensor | None = None
    failed: dict[int, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Attack(Plugin):
    """Parameters, and how Foolbox runs with them.

    Most attacks only override `build`. One that shares work between epsilons overrides
    `craft_grid`; one that handles its batch in a way of its own overrides `craft`.
    """

    room: ClassVar[str] = "attacks"
    norm: ClassVar[Norm]
    budget: ClassVar[bool] = True  # looks inside a given ball; False: seeks the nearest adversarial
    one_step: ClassVar[bool] = False
    access: ClassVar[Literal["gradient", "scores", "decision", "none"]] = "gradient"

    def build(self, eps: float | None) -> Any:
        """The Foolbox attack; `eps` in pixels of [0, 1], None where ``budget`` is False."""
        raise NotImplementedError

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        """Run on one batch: as Foolbox's own call does, with its verdict as the claim."""
        tool = self.build(eps)
        if eps is None:
            images = tool.run(model, samples.x, samples.criterion)
        else:
            images = tool.run(model, samples.x, samples.criterion, epsilon=eps)
            images = into_ball(samples.x, images, eps, self.norm)
        return Crafted(images, claim(model, samples, images))

    def craft_grid(
        self, model: Model, samples: Samples, epsilons: Sequence[float | None]
    ) -> Iterator[Crafted]:
        """One result per epsilon, each made when it is asked for."""
        for eps in epsilons:
            yield self.craft(model, samples, eps)

    @property
    def aims(self) -> bool:
        """Whether only one given class per sample counts as success."""
        return False

    @property
    def settings(self) -> dict[str, Any]:
        """Every parameter with its value."""
        return {f.name.replace("_", "-"): getattr(self, f.name) for f in parameters(type(self))}


def claim(model: Model, samples: Samples, images: Tensor) -> Tensor:
    """Which images are adversarial, seen in the batch in which they were made."""
    with torch.no_grad():
        return samples.reached(model(images).argmax(1))
