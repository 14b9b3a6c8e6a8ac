"""Train between each image and a point beyond its adversarial one, with labels softened on the way.

Lee, Lee & Yoon, "Adversarial Vertex Mixup", CVPR 2020, arXiv 2003.02484. x' by projected ascent;
vertex x_v = clip(x + γ(x'-x)), γ = 2; x̃ = a·x + (1-a)·x_v, a ~ U(0, 1) per image;
ỹ = a·φ(y, 1) + (1-a)·φ(y, 0.1), φ(y, κ) = κy + (1-κ)(1-y)/(C-1). Only x̃ is trained on. κ = 0.1 with
10 classes makes the vertex's label uniform. The authors attack in train mode (`attack-bn=train`;
here `eval`). A port of theirs fell to 40.5 % under a margin-loss attack where PGD-20 left 57.5 %: a
vanishing gradient may be part of the picture, so attack it with more than PGD.
Cost per step: steps+1 forwards and backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.adversarial.adversary import Adversarial
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Step
from robustbench_cli.training.objective import cross_entropy


@dataclass(kw_only=True)
class AdversarialVertexMixup(Adversarial):
    """Replaces each image by a point on the segment to its vertex."""

    resamples: ClassVar[bool] = True
    gamma: float = param(2.0, "the vertex's distance, in units of the perturbation", low=0)
    near: float = param(1.0, "κ at the image", low=0, high=1)
    far: float = param(0.1, "κ at the vertex", low=0, high=1)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        x = batch.x.detach()
        adversarial = self.perturb(model, x, lambda logits: cross_entropy(logits, batch.y))
        vertex = (x + self.gamma * (adversarial - x)).clamp(0, 1)
        away = torch.rand(len(batch), 1, device=x.device, dtype=x.dtype)
        near, far = smoothed(batch.y, self.near), smoothed(batch.y, self.far)
        mixed = torch.lerp(batch.x, vertex, away[..., None, None])
        return rest(model, Batch(mixed, torch.lerp(near, far, away)))


def smoothed(y: Tensor, keep: float) -> Tensor:
    """φ(y, κ): the share `keep` stays on the label, the rest is spread over the other classes."""
    return keep * y + (1 - keep) * (1 - y) / (y.shape[1] - 1)
