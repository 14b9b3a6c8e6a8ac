"""Where attacks that see only decisions may start: at an adversarial, as near as is easily had."""

from __future__ import annotations

import warnings

import torch
from foolbox import distances
from foolbox.attacks.blended_noise import LinearSearchBlendedUniformNoiseAttack
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Samples, claim

CANDIDATES = 1000
"""Images of the evaluation set among which the nearest start is sought."""
NOWHERE = "no starting point: neither noise nor another image of the set was adversarial"


def starting_points(model: Model, samples: Samples, *, draws: int) -> tuple[Tensor, Tensor]:
    """Images (n, C, H, W), and whether each is adversarial (n,).

    The nearest image that the network takes for what is wanted, drawn towards the sample as far as
    it stays there; else uniform noise, `draws` of it, blended with the sample.
    """
    starts = from_others(model, samples)
    started = claim(model, samples, starts)
    left = (~started).nonzero()[:, 0]
    if len(left):
        starts[left] = from_noise(model, samples[left], draws)
        started[left] = claim(model, samples[left], starts[left])
    return starts, started


def from_noise(model: Model, samples: Samples, draws: int) -> Tensor:
    tool = LinearSearchBlendedUniformNoiseAttack(distance=distances.l2, directions=draws, steps=50)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some starts failed; the caller sees to those
        found: Tensor = tool.run(model, samples.x, samples.criterion)
    return found


def from_others(model: Model, samples: Samples) -> Tensor:
    """The nearest image that the network takes for what is wanted, drawn closer."""
    if samples.others is None:
        return samples.x.clone()
    images, prediction = samples.others.images, samples.others.prediction
    drawn = torch.randperm(len(images))[:CANDIDATES].to(prediction.device)
    candidates = images[drawn].x
    fitting = samples.reached(prediction[drawn, None])  # (candidates, n)
    apart = torch.cdist(candidates.flatten(1), samples.x.flatten(1))
    nearest, which = apart.masked_fill(~fitting, torch.inf).min(0)
    found = nearest.isfinite()[:, None, None, None]
    return _drawn_closer(model, samples, torch.where(found, candidates[which], samples.x))


def _drawn_closer(model: Model, samples: Samples, starts: Tensor) -> Tensor:
    """The point nearest to each sample, on the line to its start, that is still adversarial."""
    near, far = samples.x, starts
    for _ in range(10):
        middle = (near + far) / 2
        hit = claim(model, samples, middle)[:, None, None, None]
        near, far = torch.where(hit, near, middle), torch.where(hit, middle, far)
    return far
