"""Networks not written for this package: do they take the images, and where are their joints?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from robustbench_cli.errors import UsageError

from .checkpoint import one_line

_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


def try_out(network: nn.Module, shape: tuple[int, int, int], classes: int, name: str) -> None:
    """One forward pass of two black images, which also gives lazy modules their sizes.

    Raises:
        UsageError: it fails, or gives no logits of shape (2, classes).
    """
    size = "x".join(map(str, shape))
    training = network.training
    try:
        with torch.no_grad():
            logits = network.eval()(torch.zeros(2, *shape))
    except Exception as e:  # somebody else's code: whatever it raises is the answer
        reason = f"{type(e).__name__}: {one_line(e)}"
        raise UsageError(f"{name} cannot take {size} images: {reason}; try another --model") from e
    network.train(training)
    if not isinstance(logits, torch.Tensor) or logits.shape != (2, classes):
        got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise UsageError(
            f"{name} must turn 2 images of {size} into logits (2, {classes}); it gives {got}"
        )


def never_in_place(network: nn.Module) -> nn.Module:
    """Stop modules from overwriting their inputs, which methods capture and differentiate."""
    for module in network.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    return network


def guess_joints(network: nn.Module) -> tuple[Sequence[str], str]:
    """Stages and head as :class:`Architecture` wants them, guessed from the order of submodules.

    The head is the last linear layer ("" if there is none). The stages are the children with
    parameters after the first, as far as the one that holds the head; the head itself is none, nor
    are norms.
    Where a single child comes before the head and is a sequence or holds the head, its own children
    count instead of it; so do the members of a list of modules.
    """
    head = ""
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear):
            head = name
    stages = _up_to(head, _children(network, ""))
    while stages and sum(not _holds(name, head) for name in stages) <= 1:
        first = network.get_submodule(stages[0])
        inner = _children(first, f"{stages[0]}.")
        if not inner or not (isinstance(first, nn.Sequential) or _holds(stages[0], head)):
            break
        stages = _up_to(head, inner + stages[1:])
    return stages[1:], head


def _holds(name: str, head: str) -> bool:
    return f"{head}.".startswith(f"{name}.")


def _up_to(head: str, names: list[str]) -> list[str]:
    """Those before the one that holds the head, and that one; but not the head itself."""
    for i, name in enumerate(names):
        if _holds(name, head):
            return names[: i + (name != head)]
    return names


def _children(module: nn.Module, prefix: str) -> list[str]:
    """The names of the direct children with parameters, norms left out, in order."""
    names: list[str] = []
    for name, child in module.named_children():
        if type(child) in (nn.ModuleList, nn.ModuleDict):  # a subclass may be a layer
            names += _children(child, f"{prefix}{name}.")
        elif next(child.parameters(), None) is not None and not isinstance(child, _NORMS):
            names.append(f"{prefix}{name}")
    return names
