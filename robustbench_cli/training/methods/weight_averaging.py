"""Ship a running average of the weights instead of the last ones.

Polyak & Juditsky, SIAM J. Control Optim. 1992; Izmailov et al., "Averaging Weights Leads to Wider
Optima", UAI 2018, arXiv 1803.05407; for robust training Gowal et al., 2020, arXiv 2010.03593.
`ema`: w̄ ← d·w̄ + (1-d)·w after each optimiser step, d = min(decay, (1+t)/(10+t)) after t steps, so
that the random start is soon forgotten (`warmup=false`: d = decay). `swa`: the plain mean of the
weights at the ends of the epochs from number `start` on. Running means and variances of batch norms
are averaged in the same way; Izmailov et al. measure them anew on the training images, which for
`ema` makes no difference worth a pass. Training itself is not changed: attacks and losses see the
weights that are trained, validation and everything later see the average.
Cost per step: 1 forward, 1 backward, and one pass over the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Method, Step


class Average(nn.Module):
    """Holds the average as buffers, so that checkpoints and weight files have it."""

    count: Tensor  # (), what was averaged so far

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        for name, value in _averaged(model):
            self.register_buffer(name.replace(".", "/"), value.detach().clone())

    def values(self) -> list[Tensor]:
        return [b for name, b in self.named_buffers() if name != "count"]


def _averaged(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters, and the statistics of batch norms, by name."""
    yield from model.named_parameters()
    for path, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for name in ("running_mean", "running_var"):
                value = getattr(module, name)
                if value is not None:
                    yield f"{path}.{name}", value


@dataclass(kw_only=True)
class WeightAveraging(Method):
    """Watches the weights between steps."""

    innermost: ClassVar[bool] = True
    finishes: ClassVar[bool] = True
    swaps: ClassVar[bool] = True
    kind: Literal["ema", "swa"] = param("ema", "moving average by step, or mean over epochs")
    decay: float = param(0.999, "ema: share of the average that stays in each step", low=0, high=1)
    warmup: bool = param(True, "ema: forget faster in the first steps")
    start: int = param(1, "swa: the first epoch whose weights count", low=1)
    epochs: int = field(default=0, init=False, repr=False, compare=False)  # ended so far
    steps: int = field(default=0, init=False, repr=False, compare=False)  # averaged so far
    seen: int = field(default=-1, init=False, repr=False, compare=False)  # state of the weights

    def install(self, model: Model) -> None:
        model.average = Average(model)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        if self.kind == "ema":
            # called before the optimiser moves: these are the weights that its last step left,
            # unless an outer method forwards twice or an epoch has just begun
            now = _version(model)
            if self.seen not in (-1, now):
                self._move(model)
            self.seen = now
        return rest(model, batch)

    def end_epoch(self, model: Model) -> dict[str, float]:
        self.epochs += 1
        moved = self.seen not in (-1, _version(model))
        if (self.kind == "ema" and moved) or (self.kind == "swa" and self.epochs >= self.start):
            self._move(model)
        self.seen = -1
        return {}

    @torch.no_grad()
    def _move(self, model: Model) -> None:
        """Let the average follow by one step."""
        self.steps += 1
        if self.kind == "swa":
            keep = 1 - 1 / self.steps
        else:
            keep = min(self.decay, self.steps / (9 + self.steps)) if self.warmup else self.decay
        average = model.average
        assert isinstance(average, Average)
        now = [value.detach() for _, value in _averaged(model)]
        torch._foreach_lerp_(average.values(), now, 1 - keep)
        average.count += 1

    @torch.no_grad()
    def deploy(self, model: Model) -> None:
        average = model.average
        assert isinstance(average, Average)
        if average.count > 0:
            for (_, value), mean in zip(_averaged(model), average.values(), strict=True):
                value.copy_(mean)
        del model.average


def _version(model: Model) -> int:
    """Grows whenever an optimiser changes a weight."""
    return sum(p._version for p in model.parameters())
