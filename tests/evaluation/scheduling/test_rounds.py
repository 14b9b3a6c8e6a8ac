"""Rounds: who is attacked at which epsilon, and in whose company."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
import torch
from foolbox.models.base import Model
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.evaluation.attack import Attack, Crafted, Samples
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.verification.ball import Norm

EPSILONS = grid(ranges=["0:0.2:0.01"])
SHADES = Images(
    torch.arange(100, 120, dtype=torch.uint8)[:, None, None, None].expand(20, 1, 4, 4),
    torch.zeros(20, dtype=torch.long),
)


class Bright(nn.Module):
    """Two classes, by whether an image is brighter than grey."""

    def forward(self, x: Tensor) -> Tensor:
        lead = x.flatten(1).mean(1) - 0.55
        return torch.stack([-lead, lead], 1)


@dataclass(kw_only=True)
class Brighten(Attack):
    """Adds the radius; keeps the shade of what it was shown, and the radius, batch by batch."""

    norm: ClassVar[Norm] = "linf"
    shown: list[list[tuple[int, float | None]]] = field(default_factory=list)

    def __str__(self) -> str:
        return "brighten"

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        shades = (255 * samples.x[:, 0, 0, 0]).round().int().tolist()
        self.shown.append([(shade, eps) for shade in shades])
        return Crafted((samples.x + (eps or 0)).clamp(0, 1))


def test_nobody_is_attacked_twice_and_the_audit_is_attacked_everywhere() -> None:
    attack = Brighten()
    found = evaluate_model(Bright(), SHADES, attack, EPSILONS, schedule="bisect", audit=5)
    times = Counter(pair for batch in attack.shown for pair in batch)
    assert set(times.values()) == {1}
    shades = Counter(shade for shade, _ in times)
    everywhere = sorted(shade - 100 for shade, n in shades.items() if n == len(EPSILONS) - 1)
    assert everywhere == found.record["audit"]["samples"]
    assert found.record["audit"]["disagreements"] == 0


def test_the_audit_shares_batches_with_bisected_samples() -> None:
    attack = Brighten()
    evaluate_model(Bright(), SHADES, attack, EPSILONS, schedule="bisect", audit=5)
    assert len(attack.shown) < 2 * len(EPSILONS)


@pytest.mark.parametrize("schedule", ["ascending", "independent"])
def test_in_other_orders_no_row_depends_on_the_audit(schedule: str) -> None:
    without, some = (
        evaluate_model(Bright(), SHADES, "linf-noise:draws=1", EPSILONS, schedule=schedule, audit=a)
        for a in (0, 10)
    )
    assert without.samples.equals(some.samples)
