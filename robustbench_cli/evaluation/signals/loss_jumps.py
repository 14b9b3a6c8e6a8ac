"""How much does the loss jump between points that nobody could tell apart?

change: mean of |L(x') - L(x)| / L(x), at most 1, over points x' drawn uniformly within 1/1000 of a
pixel's range around images that are classified right; L is the cross-entropy.
Pintor et al., NeurIPS 2022, arXiv 2106.09947 (unstable predictions).
Cost: 11 forwards per sample, 101 in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.functional import cross_entropy

from robustbench_cli.evaluation.network import logits
from robustbench_cli.evaluation.signal import Effort, Numbers, Scene, Signal

RADIUS = 1e-3


@dataclass(kw_only=True)
class LossJumps(Signal):
    shared: ClassVar[bool] = True

    def calls(self, scene: Scene, effort: Effort) -> int:
        return (101 if effort == "full" else 11) if len(scene.right) else 0

    def measure(self, scene: Scene, n: int, effort: Effort) -> Numbers:
        x, labels = scene.first(n)

        def loss(images: torch.Tensor) -> torch.Tensor:
            return cross_entropy(logits(scene.network, images), labels, reduction="none")

        before, changes = loss(x), []
        for _ in range(self.calls(scene, effort) - 1):
            near = (x + RADIUS * (2 * torch.rand_like(x) - 1)).clamp(0, 1)
            changes.append(((loss(near) - before).abs() / before.clamp(min=1e-12)).clamp(max=1))
        return {"change": float(torch.stack(changes).nan_to_num(1.0).mean()), "n": len(labels)}
