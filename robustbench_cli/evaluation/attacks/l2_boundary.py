"""BoundaryAttack: a random walk along the decision boundary towards the image, in L2.

Brendel et al. 2018, "Decision-Based Adversarial Attacks: Reliable Attacks Against Black-Box
Machine Learning Models", arXiv:1712.04248. Sees only the predicted class.

    x' <- a random step on the sphere around x, then a step towards x; kept if still adversarial

Foolbox refuses a whole batch when one sample has no start. Here a start is uniform noise blended
with the image; failing that, an image of the evaluation set that the network puts into another
class (or the target); a sample without either counts as not broken and is listed.
Minimal-norm: runs once for all epsilons. Cost: about 1.1 · `steps` forwards, and up to
`draws` + 62 for the start. Foolbox's own defaults are 25,000 steps and a first spherical step of
0.01; with 1,000 steps, 0.1 ended 2.5 times nearer on a published MNIST network.
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
from robustbench_cli.evaluation.ball import Norm, distance
from robustbench_cli.evaluation.targets import Targeted
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class L2Boundary(Targeted):
    norm: ClassVar[Norm] = "l2"
    budget: ClassVar[bool] = False
    access: ClassVar[Literal["decision"]] = "decision"

    steps: int = param(1000, "steps of the walk", low=1)
    spherical_step: float = param(0.1, "first step along the sphere, relative", low=0)
    source_step: float = param(0.01, "first step towards the image, relative", low=0)
    draws: int = param(25, "noise images, then images of other classes, tried as a start", low=1)

    def build(self, eps: float | None) -> Any:
        return BoundaryAttack(
            steps=self.steps, spherical_step=self.spherical_step, source_step=self.source_step
        )

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        starts = self._from_noise(model, samples)
        started = claim(model, samples, starts)
        left = (~started).nonzero()[:, 0]
        if len(left):
            starts[left] = self._from_others(model, samples[left])
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
        """The nearest of `draws` images that the network takes for what is wanted, drawn closer."""
        if samples.others is None:
            return samples.x.clone()
        starts = []
        for i in range(len(samples)):
            one = samples[torch.tensor([i])]
            fitting = one.reached(samples.others.prediction).nonzero()[:, 0]
            if not len(fitting):
                starts.append(one.x)
                continue
            drawn = fitting[torch.randperm(len(fitting))[: self.draws].to(fitting.device)]
            candidates = scale(samples.others.images.pixels[drawn])
            nearest = distance(one.x.expand_as(candidates), candidates, "l2").argmin()
            starts.append(candidates[nearest][None])
        return _bisect(model, samples, torch.cat(starts))

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
