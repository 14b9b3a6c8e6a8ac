"""Networks that are objects of this Python session: ``object:NAME`` stands for one of them.

A run holds weights and the name of a network, never its code. A network that somebody made in a
notebook has no such name, so its runs can be attacked in the session that made it, or in one that
brings the same object again; what was computed is read everywhere.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from robustbench_cli.errors import UsageError

from .checkpoint import one_line
from .fingerprint import fingerprint
from .foreign import guess_joints, never_in_place, try_out
from .model import Architecture

PREFIX = "object:"
_log = logging.getLogger(__name__)
_kept: dict[str, nn.Module] = {}


@dataclass(kw_only=True)
class SessionNetwork(Architecture):
    """A network object; every network made of it begins with the weights that it had."""

    spec: str
    network: nn.Module = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.spec

    @property
    def name(self) -> str:
        return self.spec

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        network = copy.deepcopy(self.network)
        try_out(network, shape, classes, self.spec)
        return network

    def joints(self, network: nn.Module) -> tuple[Sequence[str], str]:
        return guess_joints(network)


def keep(network: nn.Module) -> SessionNetwork:
    """Remember a copy of the network as it is now, and name it by its class and fingerprint.

    Raises:
        UsageError: it cannot be copied, or has no weights yet.
    """
    network = own_copy(network)
    spec = f"{PREFIX}{type(network).__name__}-{fingerprint(network)[:8]}"
    return SessionNetwork(spec=spec, network=_kept.setdefault(spec, network))


def kept(spec: str) -> SessionNetwork:
    """
    Raises:
        UsageError: this session knows no such object.
    """
    if spec not in _kept:
        name = spec.removeprefix(PREFIX)
        raise UsageError(
            f"{name} was an object of another Python session, and no file may hold its code; "
            "make it again, with the same weights, and give it to evaluate(...) or train(model=...)"
        )
    return SessionNetwork(spec=spec, network=_kept[spec])


def own_copy(network: nn.Module) -> nn.Module:
    """A copy on the CPU, in eval mode, that overwrites none of its inputs; without wrappers.

    Raises:
        UsageError: it cannot be copied, or has no weights yet.
    """
    while inner := _wrapped(network):
        network = inner
    name = type(network).__name__
    if any(nn.parameter.is_lazy(each) for each in (*network.parameters(), *network.buffers())):
        raise UsageError(f"{name} has no weights yet; call it once on a batch of images")
    try:
        copied = copy.deepcopy(network)
    except Exception as e:  # somebody else's code: whatever it raises is the answer
        raise UsageError(
            f"{name} cannot be copied: {type(e).__name__}: {one_line(e)}; keep tensors as "
            "parameters or buffers, and nothing that only this process has"
        ) from e
    for parameter in copied.parameters():
        parameter.grad = None
    return never_in_place(copied.to(torch.device("cpu")).eval())


def _wrapped(network: nn.Module) -> nn.Module | None:
    """What torch.compile or a parallel wrapper stands around."""
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    inner = network.module if isinstance(network, parallel) else None
    inner = inner or getattr(network, "_orig_mod", None)
    return inner if isinstance(inner, nn.Module) else None
