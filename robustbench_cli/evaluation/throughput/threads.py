"""How many threads a network is attacked with on a CPU: more can be slower on small networks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import torch
from torch import Tensor, nn

_log = logging.getLogger(__name__)

_WORTH = 0.9
"""All threads must take at most this share of the time of one: other work may want the rest."""


@contextmanager
def threads(network: nn.Module, x: Tensor, wanted: int | None = None) -> Iterator[int]:
    """`wanted` threads while open; None: one or all, whichever is faster on the images `x`."""
    before = torch.get_num_threads()
    chosen = wanted or (_measured(network, x, before) if x.device.type == "cpu" else before)
    torch.set_num_threads(chosen)
    try:
        yield chosen
    finally:
        torch.set_num_threads(before)


def _measured(network: nn.Module, x: Tensor, most: int) -> int:
    if most == 1:
        return 1
    took = {count: _seconds(network, x, count) for count in (most, 1)}
    chosen = most if took[most] < _WORTH * took[1] else 1
    _log.info(
        "%d threads take %.1f ms for %d images, one takes %.1f: goes on with %d (--threads %d)",
        *(most, 1000 * took[most], len(x), 1000 * took[1], chosen, chosen),
    )
    return chosen


def _seconds(network: nn.Module, x: Tensor, count: int) -> float:
    """The shortest of three forward and backward passes, after one to warm up."""
    torch.set_num_threads(count)
    seconds = []
    for _ in range(4):
        start = perf_counter()
        images = x.detach().clone().requires_grad_()
        with torch.enable_grad():
            logits = network(images)
            if logits.requires_grad:
                logits.sum().backward()
        seconds.append(perf_counter() - start)
    return min(seconds[1:])
