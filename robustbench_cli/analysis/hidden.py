"""What the layers of a network receive: hidden activations, and the codes before the classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.network import logits
from robustbench_cli.models.model import Model
from robustbench_cli.training.bottlenecks.bottleneck import Bottleneck

from .analysis import Subject


def last_layer(model: Model) -> tuple[str, nn.Module]:
    """The layer that makes logits of features, or of a bottleneck's means; with its name."""
    name = _names(model)[model.head]
    if isinstance(model.head, Bottleneck):
        return f"{name}.decode", model.head.decode
    return name, model.head


def hidden_layers(model: Model) -> dict[str, nn.Module]:
    """Every stage after the image's own, the head, and a bottleneck's classifier; by name."""
    names = _names(model)
    name, last = last_layer(model)
    return {names[module]: module for module in (*model.stages[1:], model.head)} | {name: last}


def receive(
    subject: Subject, x: Tensor, layers: Mapping[str, nn.Module]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Show images (N, C, H, W) to the network: its logits, and what each layer received, (N, d).

    Hooks are on the layers only meanwhile. Defences before the network stay there, so that the
    layers receive what the defences let through.

    Raises:
        UsageError: a layer received another number of inputs than there are images.
    """

    def ask(part: slice) -> tuple[Tensor, dict[str, Tensor]]:
        batch = x[part]
        with _listening(layers) as heard:
            out = logits(subject.network, batch)
        for name, inputs in heard.items():
            got = sum(map(len, inputs))
            if got != len(batch):
                raise UsageError(
                    f"layer {name} receives {got / len(batch):.3g} inputs for an image, because a "
                    "defence asks the network several times; type --view bare, without --defence"
                )
        return out, {name: torch.cat(inputs) for name, inputs in heard.items()}

    outs, parts = zip(*subject.batches.map(len(x), ask), strict=True)
    return torch.cat(outs), {name: torch.cat([part[name] for part in parts]) for name in layers}


@contextmanager
def _listening(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, list[Tensor]]]:
    """While open, the flattened inputs of each layer, call by call."""
    heard: dict[str, list[Tensor]] = {name: [] for name in layers}
    with ExitStack() as hooks:
        for name, layer in layers.items():

            def hook(_: nn.Module, args: tuple[Any, ...], name: str = name) -> None:
                heard[name].append(args[0].detach().float().flatten(1))

            hooks.callback(layer.register_forward_pre_hook(hook).remove)
        yield heard


def _names(model: Model) -> dict[nn.Module, str]:
    return {module: name for name, module in model.network.named_modules()}
