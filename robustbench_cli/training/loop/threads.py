"""One thread for networks so small that several would mostly wait for each other.

The choice depends on the network and the batch alone, not on a measurement: the number of threads
decides in which order sums are taken, and the same seed is to give the same weights.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from robustbench_cli.training.hooks import eval_mode

_log = logging.getLogger(__name__)

SMALL = 10**9
"""Multiply-adds per batch, forward. LeNet-5 on 128 images of MNIST: 0.04e9; madry-cnn: 1.8e9."""


@contextmanager
def sensible_threads(model: nn.Module, x: Tensor, batch_size: int) -> Iterator[None]:
    """All of them or one while open; ``OMP_NUM_THREADS`` overrules it. `x`: a few images."""
    before = torch.get_num_threads()
    if x.device.type == "cpu" and before > 1 and "OMP_NUM_THREADS" not in os.environ:
        work = _multiply_adds(model, x) * batch_size
        if work < SMALL:
            torch.set_num_threads(1)
        _log.info(
            "a batch takes %.2g multiply-adds: trains with %d of %d threads (OMP_NUM_THREADS)",
            *(work, torch.get_num_threads(), before),
        )
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _multiply_adds(model: nn.Module, x: Tensor) -> float:
    """Per image, of convolutions and linear layers."""
    counted = [0]  # torch's own counter of operations loads a compiler for GPUs

    def count(module: nn.Module, _: object, out: Tensor) -> None:
        assert isinstance(module.weight, Tensor)
        counted[0] += out.numel() * module.weight[0].numel()

    kinds = (nn.Conv2d, nn.Linear)
    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, kinds)]
    try:
        with eval_mode(model), torch.no_grad():
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return counted[0] / len(x)
