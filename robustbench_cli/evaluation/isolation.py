"""Leave no trace: a network and the random generators are handed back as they were found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from robustbench_cli.device import reproducible


@contextmanager
def frozen(model: nn.Module) -> Iterator[list[str]]:
    """`model` in eval mode, its parameters without gradients; every module as before afterwards.

    Frozen parameters also spare the gradients of the weights, which an attack never reads.

    Yields:
        A list that is empty inside. Afterwards it names the buffers (batch norm statistics and
        their like) that changed all the same; they hold their old values again.
    """
    modes = [(module, module.training) for module in model.modules()]
    wishes = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    buffers = [
        (module, f"{path}.{key}".lstrip("."), key, buffer, buffer.detach().clone())
        for path, module in model.named_modules()
        for key, buffer in module.named_buffers(recurse=False)
    ]
    changed: list[str] = []
    try:
        model.eval()
        model.requires_grad_(False)
        yield changed
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, wish in wishes:
            parameter.requires_grad_(wish)
        for module, name, key, buffer, before in buffers:
            if module._buffers.get(key) is not buffer or not _same(buffer, before):
                changed.append(name)
                buffer.detach().copy_(before)
                module._buffers[key] = buffer


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())


@contextmanager
def fenced() -> Iterator[None]:
    """Random numbers may be seeded and drawn inside; outside, nothing of it is seen.

    Inside, `reproducible`.
    """
    state, legacy = random.getstate(), np.random.get_state()
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = range(torch.cuda.device_count()) if started else ()
    kind = torch.device("cuda" if started else "cpu")
    with torch.random.fork_rng(devices, device_type="cuda"), reproducible(kind):
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(legacy)
