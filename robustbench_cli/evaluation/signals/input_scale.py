"""Would the network rather see its pixels on another scale?

The accuracy on the images as they are, times 255, as 2x - 1, and standardised by their own mean and
deviation. better, best: the scale with the most right answers besides, and its accuracy; won, lost:
samples that it gets right and the images as they are do not, and the reverse. high: the largest
pixel. Not of a network behind a defence, which may answer for the scale itself.
Cost: 4 forwards per sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.evaluation.network import logits
from robustbench_cli.evaluation.signal import Effort, Numbers, Scene, Signal


@dataclass(kw_only=True)
class InputScale(Signal):
    fewest: ClassVar[int] = 32
    most: ClassVar[int] = 128
    shared: ClassVar[bool] = True

    def calls(self, scene: Scene, effort: Effort) -> int:
        return 0 if scene.defended else 4

    def measure(self, scene: Scene, n: int, effort: Effort) -> Numbers:
        some = scene.pool[:n]
        x = some.x
        std, mean = (x.transpose(0, 1).flatten(1).std(1), x.transpose(0, 1).flatten(1).mean(1))
        shape = (1, -1, 1, 1)
        others = {
            "times 255": x * 255,
            "2x - 1": 2 * x - 1,
            "standardised": (x - mean.view(shape)) / std.clamp(min=1e-3).view(shape),
        }
        as_is = logits(scene.network, x).argmax(1) == some.labels
        right = {k: logits(scene.network, v).argmax(1) == some.labels for k, v in others.items()}
        better = max(right, key=lambda k: int(right[k].sum()))
        return {
            "as_is": float(as_is.float().mean()),
            "better": better,
            "best": float(right[better].float().mean()),
            "won": int((right[better] & ~as_is).sum()),
            "lost": int((as_is & ~right[better]).sum()),
            "high": float(x.max()),
            "n": len(some),
        }
