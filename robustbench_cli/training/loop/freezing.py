"""Layers that stay as they are: weights that are not trained, statistics that do not follow."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import Self

from torch import nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Model

_SHOWN = 20  # names in a message


class Frozen:
    """What stays of a network, by the names that it has before methods change it."""

    def __init__(self, parameters: dict[str, nn.Parameter], norms: Iterable[nn.Module]) -> None:
        self.parameters, self.norms = parameters, tuple(norms)

    @classmethod
    def choose(cls, model: Model, names: str | None, new: Collection[str] = ()) -> Self:
        """The layers that comma-separated names mean: those themselves, all below them, or globs.

        `new`: parameters that would stay what they were drawn to be.

        Raises:
            UsageError: a name of nothing, or of what is new; or nothing is left to train.
        """
        listed = [name.strip() for name in (names or "").split(",") if name.strip()]
        known = [name for name, _ in model.network.named_parameters()]
        for name in listed:
            if not any(_means(name, each) for each in known):
                raise UsageError(f"--freeze {name}: no such layer; there are: {_layers(known)}")
        chosen = {
            name: each
            for name, each in model.network.named_parameters()
            if any(_means(pattern, name) for pattern in listed)
        }
        if fresh := [name for name in chosen if name in new]:
            raise UsageError(f"--freeze {names}: {fresh[0]} is new here, so it must be trained")
        if listed and len(chosen) == len(known):
            raise UsageError(f"--freeze {names} leaves nothing to train; name fewer layers")
        norms = [
            module
            for path, module in model.network.named_modules()
            if isinstance(module, nn.modules.batchnorm._NormBase)
            and any(_means(pattern, f"{path}.running_mean") for pattern in listed)
        ]
        return cls(chosen, norms)

    def settle(self, model: Model) -> None:
        """Once methods have changed the network: these weights are not trained.

        Raises:
            UsageError: a method has put something else in the place of one.
        """
        left = {id(each) for each in model.parameters()}
        for name, each in self.parameters.items():
            if id(each) not in left:
                raise UsageError(
                    f"--freeze: a method of this run puts something new in the place of {name}, "
                    "which must be trained; leave that layer out"
                )
            each.requires_grad_(False)

    def hold(self) -> None:
        """Whenever the network has been put into train mode: these statistics do not follow."""
        for norm in self.norms:
            norm.eval()


def _means(pattern: str, name: str) -> bool:
    return name == pattern or name.startswith(f"{pattern}.") or fnmatchcase(name, pattern)


def _layers(known: Iterable[str]) -> str:
    """The modules that hold parameters: their outermost names where there are many."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] or name for name in known))
    if len(layers) > _SHOWN:
        layers = list(dict.fromkeys(name.partition(".")[0] for name in layers))
    return ", ".join(layers[:_SHOWN] + ["..."] * (len(layers) > _SHOWN))
