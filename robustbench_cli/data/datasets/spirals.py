"""Points of the plane on interleaved spiral arms, one class per arm, for an MLP; seeded.

Arm k: radius r = 0.05 + 0.4 t, angle 2 pi (turns t + k / arms), with t = sqrt(u) and u uniform in
[0, 1], so that the points are spread evenly; around the centre (0.5, 0.5), with Gaussian noise of
standard deviation `noise`, clipped to [0, 1]. A point is an "image" of 1x2 pixels.
Neighbouring arms are 0.4 / (turns * arms) apart, 0.13 by default, so that epsilons above 0.07
cross the middle between them and no classifier can withstand them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from robustbench_cli.data import usual
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class Spirals(Dataset):
    epochs = 100
    batch_size = 32
    eps: ClassVar[dict[str, str]] = {"linf": "0.02", "l2": "0.02"}
    train_eps: ClassVar[dict[str, str]] = {"linf": "0.02", "l2": "0.02"}
    ranges: ClassVar[dict[str, str]] = {"linf": "0:0.1:0.005", "l2": "0:0.1:0.005"}
    quoted: ClassVar[usual.Quoted] = {"linf": ("0.02", usual.OWN), "l2": ("0.02", usual.OWN)}

    samples: int = param(1000, "points to train on, and as many to test on", low=20, high=10**6)
    noise: float = param(0.01, "standard deviation of each coordinate, in pixels", low=0, high=1)
    turns: float = param(1.5, "how often an arm winds around the centre", low=0, high=20)
    arms: int = param(2, "spiral arms, each a class", low=2, high=10)
    seed: int = param(0, "of the points; the test points are drawn with another", low=0)

    def load(self, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
        return self._draw(0), self._draw(1), tuple(f"arm {k + 1}" for k in range(self.arms))

    def _draw(self, part: int) -> Images:
        rng = np.random.default_rng([self.seed, part])
        arm = np.arange(self.samples) % self.arms  # interleaved, so that the first n are balanced
        t = np.sqrt(rng.random(self.samples))
        radius, angle = 0.05 + 0.4 * t, 2 * np.pi * (self.turns * t + arm / self.arms)
        points = 0.5 + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        points += rng.normal(0, self.noise, points.shape)
        pixels = torch.from_numpy(points.clip(0, 1).astype(np.float32))
        return Images(pixels.view(-1, 1, 1, 2), torch.from_numpy(arm).long())
