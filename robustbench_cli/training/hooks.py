"""Reaching into a network and leaving it as it was: edits, modes, and replaced modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from robustbench_cli.errors import UsageError

from .batch import current_forward


@contextmanager
def editing(module: nn.Module, edit: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """While open, `module` receives ``edit(input)`` in training forwards only, never in attacks.

    Raises:
        UsageError: `module` lies inside a compiled block, where the edit would be dropped.
    """
    refuse_fused(module)

    def hook(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        return (edit(args[0]), *args[1:]) if current_forward() else None

    handle = module.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def fuse(module: nn.Module) -> None:
    """Mark a module as part of a compiled block: hooks on it have no effect any more."""
    module.__dict__["_fused"] = True


def refuse_fused(module: nn.Module) -> None:
    if "_fused" in module.__dict__:
        raise UsageError(
            "a method of this run works inside a block that --compile fuses; leave --compile out"
        )


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """While open, every module evaluates; afterwards each is in the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def replace_modules(
    model: nn.Module, kind: type[nn.Module], make: Callable[[Any], nn.Module]
) -> int:
    """Replace every submodule of exactly `kind`; one that is shared stays shared.

    Returns how many modules were made.
    """
    made: dict[nn.Module, nn.Module] = {}
    for parent in list(model.modules()):
        # not named_children(): it hides a module's second name
        for name, child in list(parent._modules.items()):
            if child is not None and type(child) is kind:
                if child not in made:
                    made[child] = make(child).train(child.training)
                setattr(parent, name, made[child])
    return len(made)
