"""What does the attack leave when it may change every pixel as it likes?

The attack itself, with at most 20 steps and one start, at an epsilon that holds the whole range of
pixels (Linf: 1; L2: the square root of their number), on images that are classified right. Anything
above chance says that the attack, or the gradient, fails.
Carlini et al. 2019, arXiv 1902.06705. Cost: some 20 forwards and backwards per sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

from robustbench_cli.epsilon import Eps
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.signal import Effort, Numbers, Scene, Signal, passes

STEPS = 20


@dataclass(kw_only=True)
class Unbounded(Signal):
    most: ClassVar[int] = 32

    def calls(self, scene: Scene, effort: Effort) -> int:
        return passes(_short(scene.attack)) if _fits(scene) else 0

    def measure(self, scene: Scene, n: int, effort: Effort) -> Numbers:
        reach = 1.0 if scene.attack.norm == "linf" else prod(scene.images.shape) ** 0.5
        found = evaluate_model(
            scene.network,
            scene.pool[scene.right[:n]],
            _short(scene.attack),
            [Eps.parse(f"{reach:.6f}")],
            schedule="independent",
            seed=scene.seed,
        )
        left = float(found.accuracy()["accuracy"].iloc[-1])
        return {"accuracy": left, "eps": reach, "n": found.n}


def _fits(scene: Scene) -> bool:
    attack = scene.attack
    descends = attack.budget and not attack.one_step and attack.access == "gradient"
    known = attack.norm in ("linf", "l2") and "steps" in attack.settings
    return bool(descends and known and not attack.aims and len(scene.right))


def _short(attack: Attack) -> Attack:
    given = attack.settings
    fewer = {"steps": min(given["steps"], STEPS)} if "steps" in given else {}
    return replace(attack, **fewer, **({"restarts": 1} if "restarts" in given else {}))
