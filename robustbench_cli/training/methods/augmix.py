"""Train for predictions that stay the same under mixtures of simple image operations.

Hendrycks et al., "AugMix", ICLR 2020, arXiv 1912.02781. Two augmented views x₁, x₂ of each image:
(1-m)x + m Σ w_i chain_i(x), m ~ Beta(1, 1), w ~ Dirichlet(1, 1, 1), each chain one to three of
autocontrast, equalize, posterize, solarize, rotate, shear and translate (both ways), of severity 3.
Loss CE(clean) + 12·JS(p, p₁, p₂), JS the mean KL divergence from their mean. `views=1` is training
on one augmented view with CE alone (the authors' --no-jsd). Operations run on the device on images
of 256 levels, as Pillow computes them; colour, contrast, brightness and sharpness are left out, as
in the paper, for they occur in the corruptions of CIFAR-10-C. Each view is a forward of its own,
with batch statistics of its own; the authors concatenate the three and split them over their GPUs,
so what shares statistics there depends on how many there are. Not an adversarial defence.
Cost per step: 3 forwards, 3 backwards, and the operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.augmenting.augmentation import augment
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Method, Step


def jensen_shannon(logits: list[Tensor]) -> Tensor:
    """Mean over the batch of the divergence between distributions softmax(logits), (N, classes)."""
    p = torch.stack(logits).float().softmax(2)
    mean = p.mean(0).clamp(min=1e-7).log().expand_as(p)
    return F.kl_div(mean, p, reduction="sum") / (len(p) * p.shape[1])


@dataclass(kw_only=True)
class AugMix(Method):
    """Compares each image with augmented views of it."""

    compares: ClassVar[bool] = True
    resamples: ClassVar[bool] = True
    weight: float = param(12.0, "weight of the Jensen-Shannon divergence", low=0)
    views: int = param(2, "augmented views; 1: train on it alone", low=1, high=10)
    severity: float = param(3.0, "strength of the operations, up to 10", low=0.1, high=10)
    width: int = param(3, "chains that are mixed", low=1)
    depth: int = param(0, "operations of a chain; 0: one to three, drawn", low=0)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        # in full precision: half would move pixels to wrong places
        with torch.no_grad(), torch.autocast(batch.x.device.type, enabled=False):
            augmented = augment(
                batch.x, self.views, severity=self.severity, width=self.width, depth=self.depth
            )
        if self.views == 1:
            return rest(model, batch.replace(x=augmented[0]))
        clean = rest(model, batch)
        others = [rest(model, batch.replace(x=x)).logits for x in augmented]
        divergence = jensen_shannon([clean.logits, *others])
        return clean._replace(loss=clean.loss + self.weight * divergence)
