"""`torch.compile` for the blocks of a network, and taking it off again.

Blocks and never the whole network: a hook on a block stays outside of what is compiled, whereas
hooks inside of it would be dropped without a word (here they are refused).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from types import FunctionType
from typing import Any

import torch
from torch import nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.training.hooks import fuse


def compile_blocks(model: Model, backend: str = "inductor") -> int:
    """Compile each top block that has parts, but the head; returns how many there are.

    Raises:
        UsageError: the network has no such blocks.
    """
    # methods differentiate one forward several times; nobody else need have loaded the module
    import_module("torch._functorch.config").donated_buffer = False  # type: ignore[attr-defined]
    joints = {*model.stages, model.head}
    blocks = _blocks(model.network, joints, model.head)
    for block in blocks:
        for inner in block.modules():
            if inner is not block:
                fuse(inner)
        forward = torch.compile(_own_code(block.forward), backend=backend)
        block.forward = forward
    if not blocks:
        raise UsageError(
            "--compile fuses the blocks of a network, and this one is a chain of single layers; "
            "leave --compile out"
        )
    return len(blocks)


def _own_code(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with a code object of its own: torch counts recompilations by code."""

    def call(*args: Any) -> Any:
        return forward(*args)

    own = FunctionType(call.__code__.replace(), call.__globals__, closure=call.__closure__)
    return own


def _blocks(parent: nn.Module, joints: set[nn.Module], head: nn.Module) -> list[nn.Module]:
    """The largest modules with parts and parameters whose insides hold no joint."""
    found: list[nn.Module] = []
    for child in parent.children():
        inside = set(child.modules()) - {child}
        if inside and child is not head and any(True for _ in child.parameters()):
            found += _blocks(child, joints, head) if inside & joints else [child]
    return found


def uncompiled(model: Model) -> Model:
    """A copy of the network, its weights and its methods' surgery, that nothing compiled is in."""
    forwards = {m: m.__dict__.pop("forward") for m in model.modules() if "forward" in m.__dict__}
    try:
        copy = deepcopy(model)
    finally:
        for module, forward in forwards.items():
            module.forward = forward
    for module in copy.modules():
        module.__dict__.pop("_fused", None)
    return copy
