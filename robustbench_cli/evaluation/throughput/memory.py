"""How many images a GPU takes at once: small networks leave a large one idle otherwise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOST = 4096
SHARE = 0.5
"""Of the memory that is free: an attack keeps images, starts and gradients beside the network's."""


def fitting(network: nn.Module, x: Tensor) -> int:
    """Images whose forward and backward pass fit, judged by those in `x`; a power of two.

    So the number seldom changes with what else is in the memory. Only for CUDA.
    """
    device = x.device
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    images = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        logits: Tensor = network(images)
        if logits.requires_grad:
            logits.sum().backward()  # type: ignore[no-untyped-call]
    each = (torch.cuda.max_memory_allocated(device) - before) / len(x)
    del images, logits
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    free = torch.cuda.mem_get_info(device)[0] + cached
    count = int(SHARE * free / max(each, 1))
    return min(MOST, 1 << max(count.bit_length() - 1, 0))
