"""Optimisers and learning-rate schedules."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from robustbench_cli.training.config import Schedule, TrainConfig


def make_optimizer(config: TrainConfig, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """SGD with (Nesterov) momentum, Adam, or AdamW, as the config says."""
    lr, decay = config.lr or 0.0, config.weight_decay or 0.0
    if config.optimizer == "sgd":
        nesterov = config.momentum > 0
        return _eager(torch.optim.SGD)(
            parameters, lr, config.momentum, weight_decay=decay, nesterov=nesterov
        )
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return _eager(kind)(parameters, lr, weight_decay=decay)


def _eager(kind: type[Optimizer]) -> Callable[..., Optimizer]:
    """`kind` for steps that nobody compiles.

    torch shields these methods from its compiler, which their first call imports: that takes
    longer than importing torch. The same methods without the shield are underneath.
    """
    shielded = ("add_param_group", "zero_grad", "state_dict", "load_state_dict", "step")
    bare = {name: inspect.unwrap(getattr(kind, name)) for name in shielded}
    return type(kind.__name__, (kind,), bare | {"step": torch.no_grad()(bare["step"])})


def make_schedule(schedule: Schedule, optimizer: Optimizer, steps: int) -> LambdaLR:
    """The learning rate over `steps` optimiser steps, as a share of its peak."""
    return LambdaLR(optimizer, lambda step: factor(schedule, min(step / max(steps, 1), 1.0)))


def factor(schedule: Schedule, progress: float) -> float:
    """Share of the peak learning rate at `progress` from 0 to 1.

    step: ÷10 at one half and at three quarters. cosine: half a period down to 0. cyclic: straight
    up to the peak at two fifths, straight down to 0 (Wong, Rice & Kolter, ICLR 2020).
    """
    if schedule == "step":
        return 0.1 ** ((progress >= 0.5) + (progress >= 0.75))
    if schedule == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    if schedule == "cyclic":
        return progress / 0.4 if progress < 0.4 else (1 - progress) / 0.6
    return 1.0
