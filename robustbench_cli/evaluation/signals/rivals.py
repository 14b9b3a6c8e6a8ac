"""Do attacks without gradients break what the gradients left?

Tried: the most doubtful of the samples that a gradient attack left unbroken, at the epsilon that
breaks half. noise: how many fall to random points of the ball (Linf: uniform ones and corners; L2:
its surface), 20 each, 1,000 in full. In full also search: how many fall to Square Attack with 500
queries. n: the images that they were chosen from.
Carlini et al. 2019, arXiv 1902.06705; Athalye et al. 2018, arXiv 1802.00420.
Cost: 20 forwards per sample; 1,500 in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from robustbench_cli.data.dataset import Images
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.network import logits
from robustbench_cli.evaluation.signal import Effort, Numbers, Scene, Signal
from robustbench_cli.evaluation.verification.ball import into_ball
from robustbench_cli.evaluation.verification.eight_bit import is_wanted, rounded
from robustbench_cli.spec import names

DRAWS = {"quick": 20, "full": 1000, "off": 0}
QUERIES = 500


@dataclass(kw_only=True)
class Rivals(Signal):
    ranks: ClassVar[bool] = True

    def calls(self, scene: Scene, effort: Effort) -> int:
        attack = scene.attack
        plain = attack.budget and attack.access == "gradient" and attack.norm in ("linf", "l2")
        plain = plain and not attack.one_step  # which is beaten by much, and claims little
        if not plain or attack.aims or not len(scene.survivors):
            return 0
        return DRAWS[effort] + QUERIES * (effort == "full" and _square(scene) is not None)

    def measure(self, scene: Scene, n: int, effort: Effort) -> Numbers:
        assert scene.eps is not None
        chosen = scene.pool[scene.doubtful[:n]]
        found: dict[str, float | str] = {
            "eps": scene.eps.text,
            "tried": len(chosen),
            "noise": _noise(scene, chosen, DRAWS[effort]),
            "n": len(scene.pool),
        }
        if effort == "full" and (square := _square(scene)) is not None:
            searched = evaluate_model(
                scene.network, chosen, square, [scene.eps], seed=scene.seed + 1
            )
            right = searched.correct()[scene.eps.text]
            found |= {"search": int((~right).sum())}
        return found


def _square(scene: Scene) -> str | None:
    """The attack of that name in the norm at hand."""
    name = f"{scene.attack.norm}-square"
    return f"{name}:queries={QUERIES}" if name in names("attacks") else None


def _noise(scene: Scene, chosen: Images, draws: int) -> int:
    x, fell = chosen.x, torch.zeros_like(chosen.labels, dtype=torch.bool)
    norm, eps = scene.attack.norm, float(scene.eps or 0)
    for draw in range(draws):
        moved = into_ball(x, x + eps * _direction(x, norm, corner=draw % 2 == 1), eps, norm)
        if is_wanted():
            moved = rounded(x, moved, norm, eps)
        fell |= logits(scene.network, moved).argmax(1) != chosen.labels
    return int(fell.sum())


def _direction(x: Tensor, norm: str, *, corner: bool) -> Tensor:
    """A random perturbation of norm 1, or of at most 1 where it is uniform in Linf."""
    if norm == "linf":
        drawn = 2 * torch.rand_like(x) - 1
        return drawn.sign() if corner else drawn
    drawn = torch.randn_like(x)
    lengths = torch.linalg.vector_norm(drawn.flatten(1), dim=1)
    unit: Tensor = drawn / lengths[:, None, None, None]
    return unit
