"""What a forward pass does besides: changes to the network, and gradients taken inside.

changed: parameters and buffers with other values afterwards. training: modules that are in training
mode although the network was put into eval mode. gradients: backward passes inside one forward
(a defence that optimises as it predicts, and that plain gradients do not see through).
Cost: 1 forward per sample.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, ClassVar

import torch
from torch import nn

from robustbench_cli.evaluation.signal import Effort, Numbers, Scene, Signal


@dataclass(kw_only=True)
class ForwardPass(Signal):
    fewest: ClassVar[int] = 2
    most: ClassVar[int] = 4
    shared: ClassVar[bool] = True

    def calls(self, scene: Scene, effort: Effort) -> int:
        return 1

    def measure(self, scene: Scene, n: int, effort: Effort) -> Numbers:
        before = _values(scene.network)
        with torch.enable_grad(), _backwards() as seen:
            scene.network(scene.pool[:n].x.requires_grad_())
        after = _values(scene.network)
        return {
            "changed": sum(after.get(name) != value for name, value in before.items()),
            "training": sum(module.training for module in scene.network.modules()),
            "gradients": len(seen),
            "n": n,
        }


def _values(network: nn.Module) -> dict[str, tuple[str, str]]:
    """Two sums of every parameter and buffer: other values, other sums."""
    named = [*network.named_parameters(), *network.named_buffers()]
    exact = torch.float32 if any(t.device.type == "mps" for _, t in named) else torch.float64
    with torch.no_grad():
        values = [(name, tensor.detach().to(exact)) for name, tensor in named]
        return {name: (repr(float(v.sum())), repr(float(v.abs().sum()))) for name, v in values}


@contextmanager
def _backwards() -> Iterator[list[str]]:
    """Collects a name for every backward pass started inside, however it is spelled."""
    seen: list[str] = []
    before = sys.getprofile()

    def watch(_: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and getattr(called, "__name__", "") == "run_backward":
            seen.append(event)

    sys.setprofile(watch)
    try:
        yield seen
    finally:
        sys.setprofile(before)
