"""The start of a boundary walk: looked for in two ways, asked for twice, and paid for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from foolbox.models.base import Model
from foolbox.types import Bounds
from torch import Tensor

from robustbench_cli.evaluation.attack import Others, Samples, claim

from .starts import NOWHERE, from_noise, from_others

ATTEMPTS = 2
DENIED = "its starting_points are not adversarial on second thoughts: the answers are unstable"


def cost_of_start(draws: int) -> int:
    """The most queries that one attempt takes per sample.

    10 halvings and a claim for another image; the draws, 51 blends and a claim for noise; and the
    second thoughts.
    """
    return 10 + 1 + draws + 51 + 1 + 1


@dataclass
class Starts:
    """images: (n, C, H, W), the samples themselves where there is no start. started: (n,).

    spent: the queries of each sample, (n,), on the host. failed: why there is none, by position.
    """

    images: Tensor
    started: Tensor
    spent: Tensor
    failed: dict[int, str] = field(default_factory=dict)


def find_starts(
    model: Model, samples: Samples, *, draws: int, noise_first: bool, most: int | None
) -> Starts:
    """An adversarial image for each sample, as near as is easily had.

    Another image of the set, drawn closer, or noise, whichever comes first; the other where that
    fails; then both again with other images and other noise, as far as `most` queries allow.
    """
    asked = _Counted(model)
    n, device = len(samples), samples.x.device
    found = Starts(
        samples.x.clone(),
        torch.zeros(n, dtype=torch.bool, device=device),
        torch.zeros(n, dtype=torch.long),
    )
    for attempt in range(ATTEMPTS):
        left = (~found.started).nonzero()[:, 0]
        if most is not None:
            left = left[(found.spent[left.cpu()] + cost_of_start(draws) <= most).to(device)]
        if not len(left):
            break
        part = samples[left] if not attempt else _with_other_others(samples[left])
        images, hit, spent = _attempt(asked, part, draws, noise_first)
        found.spent[left.cpu()] += spent
        sure = _confirmed(asked, part, images, hit)
        found.spent[left[hit].cpu()] += 1
        found.images[left[sure]], found.started[left[sure]] = images[sure], True
        found.failed |= {int(i): NOWHERE for i in left[~hit]}
        found.failed |= {int(i): DENIED for i in left[hit & ~sure]}
    found.failed = {i: why for i, why in found.failed.items() if not found.started[i]}
    return found


def _attempt(
    asked: _Counted, samples: Samples, draws: int, noise_first: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Images, which of them are adversarial, and what each sample has spent: (n,)."""
    images, n = samples.x.clone(), len(samples)
    hit = torch.zeros(n, dtype=torch.bool, device=images.device)
    spent = torch.zeros(n, dtype=torch.long)
    for noise in (noise_first, not noise_first):
        left, before = (~hit).nonzero()[:, 0], asked.calls
        if len(left):
            part = samples[left]
            starts = from_noise(asked, part, draws) if noise else from_others(asked, part)
            images[left], hit[left] = starts, claim(asked, part, starts)
            spent[left.cpu()] += asked.calls - before
    return images, hit, spent


def _confirmed(asked: _Counted, samples: Samples, images: Tensor, hit: Tensor) -> Tensor:
    """Which of the hits are adversarial in a batch of hits, too: there the walk goes on."""
    sure, index = torch.zeros_like(hit), hit.nonzero()[:, 0]
    if len(index):
        sure[index] = claim(asked, samples[index], images[index])
    return sure


def _with_other_others(samples: Samples) -> Samples:
    """Half of the images to start from, drawn at random: another one is the nearest, perhaps."""
    others = samples.others
    if others is None:
        return samples
    device = others.prediction.device
    half = torch.randperm(len(others.images))[: len(others.images) // 2 + 1].to(device)
    return replace(samples, others=Others(others.images[half], others.prediction[half]))


class _Counted(Model):
    """The model, and how often it was called."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.calls = 0

    @property
    def bounds(self) -> Bounds:
        return self._model.bounds

    def __call__(self, inputs: Any) -> Any:
        self.calls += 1
        return self._model(inputs)
