"""What the network alone decides is measured beside one attack, and lent to the others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from robustbench_cli import __version__
from robustbench_cli.locks import held
from robustbench_cli.runs.evaluation import file_name
from robustbench_cli.runs.parts import Parts

from .signal import Numbers, Scene

_OF_THE_ATTACK = {
    *("attack", "parameters", "epsilons", "schedule", "chunk", "audit", "crafting"),
    *("source_weights", "eight_bit"),
}
"""Of an identity, what no shared signal reads. A key that is not known here keeps results apart."""


@dataclass(frozen=True)
class Sharing:
    """A hidden folder with one small file for each signal that was measured in full.

    What is found there depends on the weights, the images and which of them are classified right,
    what stands before the network, and the seed; and, as chunks do, on the kind of device and the
    version of torch, also on that of robustmix.
    """

    folder: Path
    parts: Parts

    @classmethod
    def beside(cls, folder: Path, scene: Scene) -> Sharing:
        """Below the `folder` of the evaluations."""
        identity = scene.evaluation.record.get("identity", {})
        about = {k: v for k, v in identity.items() if k not in _OF_THE_ATTACK}
        right = hashlib.sha256(scene.right.cpu().numpy().tobytes()).hexdigest()
        here = {"device": scene.images.labels.device.type, "torch": torch.__version__}
        key = {"identity": about, "right": right, "robustmix": __version__, **here}
        place = folder / f".{file_name({**about, 'attack': 'signals'})}"
        return cls(place, Parts(place, key))

    def once(self, name: str, measure: Callable[[], Numbers]) -> Numbers:
        """``measure()``, or what it gave beside an earlier attack; two processes take turns."""
        with held(self.folder / name):  # mostly for seconds: nobody need be told
            return self.parts.step(0, name, lambda: dict(measure()))
