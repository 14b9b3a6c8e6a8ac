"""Early stopping on robust validation: which epoch withstands an attack best, and its weights.

Rice, Wong & Kolter, "Overfitting in adversarially robust deep learning", ICML 2020, arXiv
2002.11569. All epochs are trained; held-out training images decide which one is kept, never test
images. The first of equally good epochs wins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.models.model import Model

Watch = Callable[[nn.Module, Images], float]
"""Accuracy under attack, of a network on images."""

WATCHED = 1000  # held-out images that are attacked after each epoch, as in the paper


@dataclass
class Best:
    """The best epoch so far; the weights are a training network's, not a deployed one's."""

    watch: Watch
    epoch: int = 0
    accuracy: float = -1.0
    last: float = -1.0
    weights: dict[str, Tensor] = field(default_factory=dict)

    def look(self, epoch: int, model: Model, shipped: nn.Module, held_out: Images) -> float:
        """Attack `shipped`, what `model` would ship; keep the weights of `model` if it is best."""
        self.last = self.watch(shipped, evenly(held_out, WATCHED))
        if self.last > self.accuracy:
            self.epoch, self.accuracy = epoch, self.last
            self.weights = {k: v.detach().clone() for k, v in model.state_dict().items()}
        return self.last

    def state(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "watch"}

    def load_state(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def facts(self) -> dict[str, Any]:
        """For run.json."""
        return {
            "best_epoch": self.epoch,
            "robust_validation": {"best": self.accuracy, "last": self.last},
        }


def evenly(images: Images, most: int) -> Images:
    """At most so many, evenly spaced: sorted classes stay in proportion."""
    n = len(images)
    if n <= most:
        return images
    return images[torch.arange(most, device=images.labels.device) * n // most]
