"""The contract of a network: pixels in [0, 1] go in, logits come out, and its joints have names.

`stages` are modules in the order of the computation: the input of stage k is "hidden activation
k", and stage 0 receives the image itself. `head` is the last linear layer. Methods that work in
feature space hook or replace exactly these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from robustbench_cli.errors import UsageError
from robustbench_cli.spec import Plugin

from .normalisation import Statistics


class Normalise(nn.Module):
    """(x - mean) / std per channel; buffers, so that weights and normalisation travel together."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).reshape(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).reshape(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class Model(nn.Module):
    """A network with its normalisation inside.

    x (N, C, H, W) in [0, 1] -> logits (N, classes). Epsilons are therefore always in pixels.
    """

    def __init__(
        self,
        network: nn.Module,
        stages: Sequence[str],
        head: str,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        """`stages` and `head` name submodules of `network`; stages after the image's own."""
        super().__init__()
        self.normalise = Normalise(mean, std)
        self.network = network
        self._stages, self._head = tuple(stages), head
        self.architecture = ""  # the spec of what made the network, where one did

    def forward(self, x: Tensor) -> Tensor:
        return self.network(self.normalise(x))  # type: ignore[no-any-return]

    @property
    def stages(self) -> list[nn.Module]:
        """Modules whose inputs are the hidden activations 0 (the image), 1, 2, ..."""
        return [self.normalise, *(self.network.get_submodule(name) for name in self._stages)]

    @property
    def head_name(self) -> str:
        """Where the head is in `network`; empty if there is none."""
        return self._head

    @property
    def head(self) -> nn.Module:
        """The last linear layer, or what a method put in its place."""
        return self.network.get_submodule(self._head)

    def replace_head(self, make: Callable[[nn.Linear], nn.Module]) -> None:
        """Put ``make(head)`` in the place of the last linear layer.

        Raises:
            UsageError: the network does not end in a linear layer.
        """
        if not isinstance(self.head, nn.Linear):
            raise UsageError("this method replaces the last linear layer, and there is none here")
        parent, _, name = self._head.rpartition(".")
        setattr(self.network.get_submodule(parent), name, make(self.head))


@dataclass(kw_only=True)
class Architecture(Plugin):
    """A family of networks; its parameters choose one."""

    room: ClassVar[str] = "models"
    stages: ClassVar[tuple[str, ...]] = ()
    head: ClassVar[str] = "head"
    variants: ClassVar[tuple[str, ...]] = ("",)  # settings that foreign weights are held against

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """The bare network, randomly initialised, for (channels, height, width) inputs.

        Activations and norms are modules (`nn.ReLU`, never `F.relu`): methods replace them.

        Raises:
            UsageError: images that this network cannot take.
        """
        raise NotImplementedError

    def begin(self, network: nn.Module, shape: tuple[int, int, int], classes: int) -> None:
        """Called once, before a training: weights to begin with, and what is to be said."""

    @property
    def oddities(self) -> int:
        """How unusual it is: weights are taken for it only where it is clearly better."""
        return 0

    def renamed(self, state: Mapping[str, Tensor], network: nn.Module) -> Mapping[str, Tensor]:
        """Weights under the names of `network`, where their file has those of earlier versions."""
        return state

    def normalisation(self, channels: int) -> Statistics | None:
        """The network's own mean and std per channel; None: those of the data."""
        return None

    def joints(self, network: nn.Module) -> tuple[Sequence[str], str]:
        """The names of the stages after the image, and of the head, in `network`."""
        return self.stages, self.head


def make(
    architecture: Architecture,
    shape: tuple[int, int, int],
    classes: int,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Model:
    """A randomly initialised model; without `mean` and `std` the pixels pass as they are."""
    network = architecture.build(shape, classes)
    stages, head = architecture.joints(network)
    channels = shape[0]
    model = Model(network, stages, head, mean or [0.0] * channels, std or [1.0] * channels)
    model.architecture = str(architecture)
    return model
