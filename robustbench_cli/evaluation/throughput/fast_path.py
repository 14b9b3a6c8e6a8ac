"""A faster copy of a network to craft with. No verdict ever comes from it.

Batch norm is folded into the convolution before it, convolutions read their channels last where a
gradient is wanted, and the first one has a quicker gradient. On one core, per forward and backward
pass in batches of 167, this takes LeNet-5 on MNIST from 180 to 76 microseconds per image. Without a
gradient the order of channels that the network came with is quicker, by a fifth where channels are
few. On request the copy is compiled, or computes in bfloat16. A network with hooks, or whose copy
answers or differentiates otherwise, is crafted on as it is.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from robustbench_cli.device import autocast, is_out_of_memory
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.network import Network
from robustbench_cli.evaluation.plan import Plan, Victim
from robustbench_cli.models.first_convolution import quicken_first_convolutions

from .pooling import quicken_pools

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Crafting:
    """How the network may compute while an attack looks for adversarials.

    copy: fold and reorder as above. compile: with torch.compile, which takes minutes at first.
    """

    copy: bool = True
    compile: bool = False
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            raise UsageError(
                f"no crafting precision {self.precision!r}; type {', '.join(get_args(Precision))}"
            )

    def __str__(self) -> str:
        """Empty where verdicts depend on it no more than on rounding."""
        asked = [self.precision] if self.precision != "float32" else []
        return ", ".join([*asked, *(["compiled"] if self.compile else [])])


class FastPath(nn.Module):
    """Pixels (N, C, H, W) -> logits (N, classes), float32.

    `answering`: the same network for images that want no gradient, its channels in the usual order.
    """

    def __init__(
        self, network: nn.Module, precision: Precision, answering: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.network, self.precision, self.answering = network, precision, answering

    def forward(self, x: Tensor) -> Tensor:
        if self.answering is not None and not (x.requires_grad and torch.is_grad_enabled()):
            return self.answering(x).float()  # type: ignore[no-any-return]
        x = x.contiguous(memory_format=torch.channels_last)
        with autocast(x.device, self.precision):
            out: Tensor = self.network(x)
        return out.float()


def quicken(victim: Victim, x: Tensor, crafting: Crafting) -> Victim:
    """`victim` with a faster network for the attack, if one can be had; `x`: some images."""
    network = victim.network.predictor
    wanted = crafting.compile or crafting.precision != "float32" or _profits(network, x)
    if not crafting.copy or not wanted or _hooked(network):
        return victim
    faster = _faster(network, x, crafting)
    return victim if faster is None else replace(victim, crafting=Network(faster).eval())


def crafting_source(plan: Plan, model: nn.Module) -> Victim:
    """A network whose adversarials are for others; several gradients are taken on a copy."""
    source = plan.look(Network(model).eval())
    return source if plan.attack.one_step else quicken(source, plan.images[:16].x, Crafting())


def _profits(network: nn.Module, x: Tensor) -> bool:
    """Only where it was measured; on GPUs channels last pays in reduced precision alone."""
    return x.device.type == "cpu" and any(isinstance(m, nn.Conv2d) for m in network.modules())


def _hooked(network: nn.Module) -> bool:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, kind) for module in network.modules() for kind in kinds)


def _faster(network: nn.Module, x: Tensor, crafting: Crafting) -> nn.Module | None:
    """The fastest copy that agrees with `network` on `x`."""
    for fold in (True, False):
        try:
            net = _copy(network, fold)
            answering = None if str(crafting) else copy.deepcopy(net)
            net = net.to(memory_format=torch.channels_last)
            if not _agree(network, FastPath(net, "float32", answering), x):
                continue
            if crafting.compile:
                net.compile(dynamic=True)
            found = FastPath(net, crafting.precision, answering)
            _answers(found, x)  # what fails does so now
        except Exception as e:  # networks of all kinds; the one at hand can always be used
            if is_out_of_memory(e):
                raise
            continue
        return found
    return None


def _copy(network: nn.Module, fold: bool) -> nn.Module:
    copied: nn.Module = fuse(network) if fold else copy.deepcopy(network)
    quicken_pools(copied)
    quicken_first_convolutions(copied)
    return copied.eval().requires_grad_(False)


def _agree(network: nn.Module, faster: nn.Module, x: Tensor) -> bool:
    """Whether answers and gradients are the same but for rounding."""
    pairs = zip(_answers(network, x), _answers(faster, x), strict=True)
    return all(a.shape == b.shape and bool((a - b).norm() <= 1e-2 * a.norm()) for a, b in pairs)


def _answers(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits where no gradient is wanted, and where one is; that of a fixed mixture of them."""
    with torch.no_grad():
        alone = network(x)
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        logits = network(x)
        weights = torch.linspace(-1, 1, logits.shape[1], device=x.device)
        (gradient,) = torch.autograd.grad((logits * weights).sum(), x)
    return alone, logits.detach(), gradient
