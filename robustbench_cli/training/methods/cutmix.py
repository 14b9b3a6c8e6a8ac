"""Paste a box of another image into each image, and mix the labels by the box's area.

Yun et al., "CutMix", ICCV 2019, arXiv 1905.04899. With probability p: λ ~ Beta(α, α), a box of
height H√(1-λ) and width W√(1-λ) around a uniformly drawn pixel, clipped at the border; inside it
x̃ = x[π]; then λ becomes 1 - area/(HW) of what was pasted, and ỹ = λy + (1-λ)y[π]. One box, one λ
and one π per batch. As in the authors' code the sides are rounded down to even numbers of pixels.
The authors: α = 1, p = 0.5 on CIFAR (here too), p = 1 on ImageNet.
Cost per step: 1 forward, 1 backward.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

import torch

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Method, Step
from robustbench_cli.training.mixing.draws import share


def draw_span(side: int, keep: float) -> tuple[int, int]:
    """Start and end of a span of about side·√(1 - keep) pixels around a uniformly drawn one."""
    half = int(side * (1 - keep) ** 0.5) // 2
    centre = random.randrange(side)
    return max(centre - half, 0), min(centre + half, side)


@dataclass(kw_only=True)
class CutMix(Method):
    """Mixes the batch before everything that stands to its right."""

    resamples: ClassVar[bool] = True
    alpha: float = param(1.0, "both parameters of the Beta distribution of λ", low=0)
    p: float = param(0.5, "probability that a batch is mixed", low=0, high=1)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        if random.random() >= self.p:
            return rest(model, batch)
        height, width = batch.x.shape[2:]
        keep = share(self.alpha)
        (top, bottom), (left, right) = draw_span(height, keep), draw_span(width, keep)
        order = torch.randperm(len(batch), device=batch.x.device)
        x = batch.x.clone()
        x[:, :, top:bottom, left:right] = batch.x[:, :, top:bottom, left:right][order]
        pasted = (bottom - top) * (right - left) / (height * width)
        return rest(model, Batch(x, torch.lerp(batch.y, batch.y[order], pasted)))
