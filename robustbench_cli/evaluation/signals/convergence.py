"""Does the attack find more with twice the steps and other random numbers?

Tried again: the most doubtful of the samples that it left unbroken, at the epsilon that breaks
half. broken: how many of the `tried` fall now; n: the images that they were chosen from, so that
broken / n is the least by which accuracy was overstated. silent: of those that did not fall, how
many were adversarial on the way. For a minimal-norm attack, shorter: the median by which distances
shrink.
Carlini et al. 2019, arXiv 1902.06705; Pintor et al. 2022, arXiv 2106.09947.
Cost: twice the attack at one epsilon, per sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.signal import Effort, Numbers, Scene, Signal, passes, stronger
from robustbench_cli.evaluation.throughput.fast_path import Crafting
from robustbench_cli.evaluation.verification.ball import Norm, distance, inside
from robustbench_cli.evaluation.verification.eight_bit import is_wanted


@dataclass(kw_only=True)
class Convergence(Signal):
    ranks: ClassVar[bool] = True

    def calls(self, scene: Scene, effort: Effort) -> int:
        again = stronger(scene.attack)
        some = len(scene.survivors if scene.attack.budget else scene.right)
        return passes(again) if again is not None and some and not again.aims else 0

    def measure(self, scene: Scene, n: int, effort: Effort) -> Numbers:
        again = stronger(scene.attack)
        assert again is not None and scene.eps is not None
        return _budget(scene, again, n) if again.budget else _minimal(scene, again, n)


def _budget(scene: Scene, again: Attack, n: int) -> Numbers:
    assert scene.eps is not None
    chosen = scene.pool[scene.doubtful[:n]]
    witness = Witness(scene.network, chosen, again.norm, float(scene.eps))
    found = evaluate_model(
        witness,
        chosen,
        again,
        [scene.eps],
        schedule="independent",
        seed=scene.seed + 1,
        crafting=Crafting(copy=False),  # the witness must see what is asked
    )
    fell = ~found.correct().sort_index()[scene.eps.text].to_numpy()
    silent = int((witness.seen.cpu().numpy() & ~fell).sum())
    return {
        "eps": scene.eps.text,
        "attack": str(again),
        "tried": len(chosen),
        "broken": int(fell.sum()),
        **({} if is_wanted() else {"silent": silent}),  # the witness sees images unrounded
        "n": len(scene.pool),
    }


def _minimal(scene: Scene, again: Attack, n: int) -> Numbers:
    """The distances of the same samples, where both attacks have one."""
    assert scene.eps is not None
    where = scene.right[:n]
    found = evaluate_model(
        scene.network, scene.pool[where], again, [scene.eps], seed=scene.seed + 1
    )
    now = found.samples.sort_values("index")["distance"].to_numpy()
    rows = scene.evaluation.samples
    last = rows[rows["eps"] == scene.eps.text].sort_values("index")["distance"].to_numpy()
    then = last[where.cpu().numpy()]
    both = np.isfinite(now) & np.isfinite(then) & (then > 0)
    shorter = float(np.median(1 - now[both] / then[both])) if both.any() else 0.0
    return {"attack": str(again), "tried": int(both.sum()), "shorter": shorter}


class Witness(nn.Module):
    """The network, and a note of every image that was adversarial inside the ball of its sample.

    An image belongs to the sample that is nearest; attacks may ask in any order.
    """

    def __init__(self, network: nn.Module, images: Images, norm: Norm, eps: float) -> None:
        super().__init__()
        self.network, self._norm, self._eps = network, norm, eps
        self._x, self._labels = images.x, images.labels
        self.seen = torch.zeros(len(images), dtype=torch.bool, device=images.labels.device)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.network(x)
        with torch.no_grad():
            own = torch.cdist(x.detach().flatten(1), self._x.flatten(1)).argmin(1)
            near = inside(distance(self._x[own], x.detach(), self._norm), self._eps).to(x.device)
            sound = near & ((x >= 0) & (x <= 1)).flatten(1).all(1)
            self.seen[own[sound & (found.argmax(1) != self._labels[own])]] = True
        return found
