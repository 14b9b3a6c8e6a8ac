"""Does the network give the same answer twice, whatever stands beside an image, and in logits?

repeat, batch: relative L2 distance of the logits of two calls, and of a call with other images in
the batch. repeat_flips, batch_flips: share of changed predictions. probabilities: share of answers
that lie in [0, 1] and sum to 1 (to 1e-5).
Croce & Hein, ICML 2020, arXiv 2003.01690 (AutoAttack's own checks).
Cost: 3 forwards per sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from robustbench_cli.evaluation.network import logits
from robustbench_cli.evaluation.signal import Effort, Numbers, Scene, Signal


@dataclass(kw_only=True)
class Answers(Signal):
    fewest: ClassVar[int] = 4
    shared: ClassVar[bool] = True

    def calls(self, scene: Scene, effort: Effort) -> int:
        return 3

    def measure(self, scene: Scene, n: int, effort: Effort) -> Numbers:
        x = scene.pool[:n].x
        first, again = logits(scene.network, x), logits(scene.network, x)
        parts = torch.split(x.flip(0), len(x) // 2 + 1)
        apart = torch.cat([logits(scene.network, part) for part in parts]).flip(0)
        inside = ((first >= 0) & (first <= 1)).all(1) & ((first.sum(1) - 1).abs() <= 1e-5)
        return {
            "repeat": _apart(first, again),
            "repeat_flips": _flips(first, again),
            "batch": _apart(first, apart),
            "batch_flips": _flips(first, apart),
            "probabilities": float(inside.float().mean()),
            "n": len(x),
        }


def _apart(first: Tensor, second: Tensor) -> float:
    difference = (first.double() - second.double()).norm()
    return float(difference / first.double().norm().clamp(min=1e-12))


def _flips(first: Tensor, second: Tensor) -> float:
    return float((first.argmax(1) != second.argmax(1)).float().mean())
