"""Convolutions and linear layers one after the other, as they are written down.

The small networks of textbooks and of papers on verification: ``chain:16k4s2p1-32k4s2p1-100`` is a
convolution of 16 channels (kernel 4x4, stride 2, padding 1), one of 32, and a layer of 100 units;
the layer for the classes follows by itself. An activation stands behind each but that.
``32k3`` has stride 1 and no padding; ``32k5s2p1.2`` pads with one pixel above and left and two
below and right, as TensorFlow does. ``n`` at the end puts a batch norm before the activation, ``w``
takes the biases away. ``max2`` and ``avg2`` are pools, ``mean`` is one over all pixels that are
left. What a file of weights does not say of such a network is found where training images show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.activations import ACTIVATIONS, Activation
from robustbench_cli.models.blocks import sequence
from robustbench_cli.models.chains import in_order
from robustbench_cli.models.layers import Layer, Linear, oddities, read_layer
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param

_MOST = 100  # layers


@dataclass(kw_only=True)
class Chain(Architecture):
    positional: ClassVar[str | None] = "layers"
    variants: ClassVar[tuple[str, ...]] = ()  # chains.py reads from weights what they may be
    layers: str = param("16k4s2p1-32k4s2p1-100", "joined by -, all but the one for the classes")
    activation: Activation = param("relu", "behind each layer but the last")

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            self._read()
        except UsageError as e:
            raise UsageError(f"{self.name}: {e}") from e

    @property
    def oddities(self) -> int:
        return (self.activation != "relu") + oddities(self._read())

    def renamed(self, state: Mapping[str, Tensor], network: nn.Module) -> Mapping[str, Tensor]:
        return in_order(state)

    def joints(self, network: nn.Module) -> tuple[Sequence[str], str]:
        kinds = (nn.Conv2d, nn.Linear)
        return [n for n, each in network.named_children() if isinstance(each, kinds)][1:], "head"

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        made: dict[str, nn.Module] = {}
        left, flat = shape, False
        for i, layer in enumerate(self._read(), 1):
            if isinstance(layer, Linear) and not flat:
                made["flatten"], flat = nn.Flatten(), True
            modules = layer.modules(left, ACTIVATIONS[self.activation])
            made |= {f"{kind}{i}": module for kind, module in modules.items()}
            left = layer.leaves(left)
            if min(left) < 1:
                size = "x".join(map(str, shape))
                raise UsageError(f"{self} leaves nothing of {size} images after {layer}")
        if not flat:
            made["flatten"] = nn.Flatten()
        return sequence(**made, head=nn.Linear(left[0] * left[1] * left[2], classes))

    def _read(self) -> list[Layer]:
        layers = [read_layer(text) for text in self.layers.split("-")]
        if len(layers) > _MOST:
            raise UsageError(f"{len(layers)} layers, expected at most {_MOST}")
        flat = [isinstance(layer, Linear) for layer in layers]
        if flat != sorted(flat):
            at = flat.index(False, flat.index(True))
            raise UsageError(f"{layers[at]} after the linear layer {layers[at - 1]}")
        return layers
