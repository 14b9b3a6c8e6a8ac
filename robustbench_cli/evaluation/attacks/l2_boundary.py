"""BoundaryAttack: a random walk along the decision boundary towards the image, in L2.

Brendel et al. 2018, "Decision-Based Adversarial Attacks: Reliable Attacks Against Black-Box
Machine Learning Models", arXiv:1712.04248. Sees only the predicted class.

    x' <- a random step on the sphere around x, then a step towards x; kept if still adversarial

The walk starts at the nearest image of the evaluation set that the network puts into another class
(or into the target), drawn towards the sample as far as it stays there; `start=noise` is Foolbox's
own start, uniform noise blended with the image, often three times as far away. Each is tried where
the other fails; a sample without either counts as not broken and is listed (Foolbox refuses the
whole batch). The step sizes adapt every `adapt-every` steps: with Foolbox's 10 a walk of 1,000
steps adapts them hardly at all.
Minimal-norm: runs once for all epsilons. Cost: steps · (1 + 1 / adapt-every) forwards, 10 for the
start, up to `draws` + 62 where it is noise. Foolbox's own default is 25,000 steps.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from foolbox import distances
from foolbox.attacks.blended_noise import LinearSearchBlendedUniformNoiseAttack
from foolbox.attacks.boundary_attack import BoundaryAttack
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.data.dataset import scale
from robustbench_cli.evaluation.attack import Crafted, Samples, claim
from robustbench_cli.evaluation.ball import Norm
from robustbench_cli.evaluation.targets import Targeted
from robustbench_cli.spec import param

CANDIDATES = 1000
"""Images of the evaluation set among which the nearest start is sought."""


@dataclass(kw_only=True)
class L2Boundary(Targeted):
    norm: ClassVar[Norm] = "l2"
    budget: ClassVar[bool] = False
    access: ClassVar[Literal["decision"]] = "decision"

    steps: int = param(1000, "steps of the walk", low=1)
    spherical_step: float = param(0.1, "first step along the sphere, relative", low=0)
    source_step: float = param(0.05, "first step towards the image, relative", low=0)
    adapt_every: int = param(2, "steps between two looks at the success of the steps", low=1)
    start: Literal["nearest", "noise"] = param("nearest", "where the walk starts, if it can")
    draws: int = param(25, "noise images tried as a start", low=1)

    def build(self, eps: float | None) -> Any:
        return BoundaryAttack(
            steps=self.steps,
            spherical_step=self.spherical_step,
            source_step=self.source_step,
            update_stats_every_k=self.adapt_every,
        )

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        ways = [self._from_others, self._from_noise]
        first, second = ways if self.start == "nearest" else ways[::-1]
        starts = first(model, samples)
        started = claim(model, samples, starts)
        left = (~started).nonzero()[:, 0]
        if len(left):
            starts[left] = second(model, samples[left])
            started[left] = claim(model, samples[left], starts[left])
        reason = "no starting point: neither noise nor another image of the set was adversarial"
        failed = {int(i): reason for i in (~started).nonzero()[:, 0]}
        images, lucky = samples.x.clone(), started.nonzero()[:, 0]
        if len(lucky):
            images[lucky], lost = self._walk(model, samples[lucky], starts[lucky])
            failed |= {int(lucky[i]): why for i, why in lost.items()}
        return Crafted(images, started & claim(model, samples, images), failed)

    def _from_noise(self, model: Model, samples: Samples) -> Tensor:
        tool = LinearSearchBlendedUniformNoiseAttack(
            distance=distances.l2, directions=self.draws, steps=50
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that some starts failed; we see to those
            return tool.run(model, samples.x, samples.criterion)

    def _from_others(self, model: Model, samples: Samples) -> Tensor:
        """The nearest image that the network takes for what is wanted, drawn closer."""
        if samples.others is None:
            return samples.x.clone()
        images, prediction = samples.others.images, samples.others.prediction
        drawn = torch.randperm(len(images))[:CANDIDATES].to(prediction.device)
        candidates = scale(images.pixels[drawn])
        fitting = samples.reached(prediction[drawn, None])  # (candidates, n)
        apart = torch.cdist(candidates.flatten(1), samples.x.flatten(1))
        nearest, which = apart.masked_fill(~fitting, torch.inf).min(0)
        found = nearest.isfinite()[:, None, None, None]
        return _bisect(model, samples, torch.where(found, candidates[which], samples.x))

    def _walk(
        self, model: Model, samples: Samples, starts: Tensor
    ) -> tuple[Tensor, dict[int, str]]:
        """Foolbox's attack; a batch that it refuses is halved until the culprits stand alone."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # means of no steps, unused
                tool = self.build(None)
                return tool.run(model, samples.x, samples.criterion, starting_points=starts), {}
        except ValueError as e:  # a randomised network may deny a start on second thoughts
            if len(samples) == 1:
                return samples.x, {0: str(e).partition("\n")[0]}
        images, failed = [], dict[int, str]()
        for part in torch.arange(len(samples), device=starts.device).chunk(2):
            found, lost = self._walk(model, samples[part], starts[part])
            images.append(found)
            failed |= {int(part[i]): why for i, why in lost.items()}
        return torch.cat(images), failed


def _bisect(model: Model, samples: Samples, starts: Tensor) -> Tensor:
    """The point nearest to each image, on the line to its start, that is still adversarial."""
    near, far = samples.x, starts
    for _ in range(10):
        middle = (near + far) / 2
        hit = claim(model, samples, middle)[:, None, None, None]
        near, far = torch.where(hit, near, middle), torch.where(hit, middle, far)
    return far
