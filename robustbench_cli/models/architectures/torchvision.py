"""Any classification network of torchvision, randomly initialised: torchvision:resnet50.

https://pytorch.org/vision/stable/models.html. The first convolution is replaced where the images
do not have three channels; auxiliary classifiers are left out. Most of these networks are made for
224x224 and shrink small images to nothing: those are refused. Some use one ReLU module in several
places, or F.relu, which methods that replace activations cannot reach. Stages and head are guessed
from the order of the submodules.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn
from torchvision import models

from robustbench_cli.errors import UsageError
from robustbench_cli.models.foreign import guess_joints, never_in_place, try_out
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class Torchvision(Architecture):
    positional: ClassVar[str | None] = "network"
    variants: ClassVar[tuple[str, ...]] = ("resnet18", "resnet34", "resnet50", "vgg16", "vgg16_bn")
    network: str = param("resnet18", "a name of torchvision.models.list_models()")

    def __post_init__(self) -> None:
        super().__post_init__()
        known = models.list_models(module=models)
        if self.network not in known:
            near = difflib.get_close_matches(self.network, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else "expected one such as resnet18"
            raise UsageError(f"torchvision has no classifier named {self.network!r}; {hint}")

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        options: dict[str, Any] = {"weights": None, "num_classes": classes}
        if self.network in ("googlenet", "inception_v3"):
            options |= {"aux_logits": False, "init_weights": True}
        network: nn.Module = models.get_model(self.network, **options)
        if shape[0] != 3:
            _take_channels(network, shape[0])
        try_out(never_in_place(network), shape, classes, str(self))
        return network

    def joints(self, network: nn.Module) -> tuple[Sequence[str], str]:
        stages, head = guess_joints(network)
        if "layer2" in stages:  # a residual network: as in the papers, not the stem's output
            stages = stages[stages.index("layer2") :]
        return stages, head


def _take_channels(network: nn.Module, channels: int) -> None:
    """Replace the first convolution by one for images of `channels` channels."""
    for name, old in network.named_modules():
        if isinstance(old, nn.Conv2d):
            new = nn.Conv2d(
                channels,
                old.out_channels,
                old.kernel_size,  # type: ignore[arg-type]
                old.stride,  # type: ignore[arg-type]
                old.padding,  # type: ignore[arg-type]
                bias=old.bias is not None,
            )
            network.set_submodule(name, new)
            return
