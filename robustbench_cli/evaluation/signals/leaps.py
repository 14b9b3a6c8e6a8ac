"""Does FAB break what a gradient attack left?

Steps of a fixed length can stand still where gradients are flat or point elsewhere, and twice as
many of them do, too; FAB leaps as far as the network's linear approximation says. Tried: the most
doubtful of the samples that the attack left unbroken, at the epsilon that breaks half. broken: how
many of the `tried` fall now; n: the images that they were chosen from.
Croce & Hein 2020, arXiv:1907.02044.
Cost: `fab` with three targets and patience, per sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.algorithms.fab import FastAdaptiveBoundary
from robustbench_cli.evaluation.algorithms.union import Union
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.signal import Effort, Numbers, Scene, Signal, passes
from robustbench_cli.spec import build, names


@dataclass(kw_only=True)
class Leaps(Signal):
    ranks: ClassVar[bool] = True

    def calls(self, scene: Scene, effort: Effort) -> int:
        attack, leaping = scene.attack, _fab(scene)
        if leaping is None or attack.access != "gradient" or attack.one_step:
            return 0
        if isinstance(attack, FastAdaptiveBoundary | Union) or attack.aims:
            return 0
        return passes(leaping) if len(scene.survivors) else 0

    def measure(self, scene: Scene, n: int, effort: Effort) -> Numbers:
        leaping = _fab(scene)
        assert scene.eps is not None and leaping is not None
        chosen = scene.pool[scene.doubtful[:n]]
        found = evaluate_model(
            scene.network, chosen, leaping, [scene.eps], seed=scene.seed + 1, audit=0
        )
        return {
            "eps": scene.eps.text,
            "attack": str(leaping),
            "tried": len(chosen),
            "broken": int((~found.correct()[scene.eps.text]).sum()),
            "n": len(scene.pool),
        }


def _fab(scene: Scene) -> Attack | None:
    """The attack of that name in the norm at hand."""
    name = f"{scene.attack.norm}-fab"
    if name not in names("attacks"):
        return None
    return build(Attack, f"{name}:steps=100,targets=3,order=nearest,patience=3")
