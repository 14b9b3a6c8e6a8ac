"""BoundaryAttack: a random walk along the decision boundary towards the image, in L2.

Brendel et al. 2018, "Decision-Based Adversarial Attacks: Reliable Attacks Against Black-Box
Machine Learning Models", arXiv:1712.04248. Sees only the predicted class.

    x' <- a random step on the sphere around x, then a step towards x; kept if still adversarial

The walk starts at the nearest image of the evaluation set that the network puts into another class
(or into the target), drawn towards the sample as far as it stays there; `start=noise` is Foolbox's
own start, uniform noise blended with the image, often three times as far away. Each is tried where
the other fails, and once more with other images and other noise; a sample without either counts as
not broken and is listed (Foolbox refuses the whole batch). The steps are Foolbox's; samples leave
the batch as they finish. The step sizes adapt every `adapt-every` steps: with Foolbox's 10 a walk
of 1,000 steps adapts them hardly at all.
Minimal-norm: runs once for all epsilons. Cost: steps · (1 + 1 / adapt-every) forwards, 13 for the
start, up to `draws` + 66 where it is noise; never more than `queries`, where it is given. Foolbox's
own default is 25,000 steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from foolbox.attacks.boundary_attack import BoundaryAttack
from foolbox.models.base import Model

from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.algorithms.boundary_start import cost_of_start, find_starts
from robustbench_cli.evaluation.algorithms.boundary_walk import BoundaryWalk
from robustbench_cli.evaluation.algorithms.targets import Targeted
from robustbench_cli.evaluation.attack import Crafted, Samples, claim
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class L2Boundary(Targeted):
    norm: ClassVar[Norm] = "l2"
    budget: ClassVar[bool] = False
    access: ClassVar[Literal["decision"]] = "decision"

    steps: int = param(1000, "steps of the walk", low=1)
    queries: int | None = param(
        None, "images shown to the network per sample, at most; none: as the steps need", low=1
    )
    spherical_step: float = param(0.1, "first step along the sphere, relative", low=0)
    source_step: float = param(0.05, "first step towards the image, relative", low=0)
    adapt_every: int = param(2, "steps between two looks at the success of the steps", low=1)
    start: Literal["nearest", "noise"] = param("nearest", "where the walk starts, if it can")
    draws: int = param(25, "noise images tried as a start", low=1)

    def __post_init__(self) -> None:
        needed = cost_of_start(self.draws) + 1
        if self.queries is not None and self.queries < needed:
            raise UsageError(
                f"queries={self.queries} is too few: to find a start may take {needed} with "
                f"draws={self.draws}; type queries={needed} or more, or fewer draws"
            )

    def build(self, eps: float | None) -> Any:
        return BoundaryAttack(
            steps=self.steps,
            spherical_step=self.spherical_step,
            source_step=self.source_step,
            update_stats_every_k=self.adapt_every,
        )

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        most = None if self.queries is None else self.queries - 1  # one for the last claim
        found = find_starts(
            model, samples, draws=self.draws, noise_first=self.start == "noise", most=most
        )
        images, able = found.images, found.started.nonzero()[:, 0]
        if len(able):
            left = None if most is None else most - found.spent[able.cpu()]
            walk = BoundaryWalk(self.build(None), model, samples[able], images[able], left)
            images[able] = walk.run()
        return Crafted(images, found.started & claim(model, samples, images), found.failed)
