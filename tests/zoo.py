"""RobustBench's list with a single entry, whose every number is known: see `two_tones`.

And random weights, as `tests/benchmarks/zoo.py` gives them to the zoo's own constructors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from two_tones import MODEL, SPEC, weights

from robustbench_cli.models.model import Architecture, Model, Normalise, make
from robustbench_cli.models.normalisation import usual, written
from robustbench_cli.runs import robustbench
from robustbench_cli.spec import allow_code, build

SMALL = (
    *("resnet18", "preact-resnet18", "dm-preact-resnet18", "wide-resnet:depth=40,width=2"),
    *("torchvision:resnet18", "torchvision:resnet50", "timm:deit_small_patch16_224"),
    *("timm:swin_base_patch4_window7_224", "timm:convnext_base"),
    *("resnet18:width=128", "resnext", "wide-resnet:depth=28,width=4,standardise=true"),
    "uneven-wide-resnet",
    *("timm:xcit_small_12_p16_224", "timm:xcit_small_12_p16_224,patch-size=4"),
    *(f"timm:{name},stem=convolutions" for name in ("deit_small_patch16_224", "convnext_tiny")),
    "timm:swin_base_patch4_window7_224,norm-eps=1e-6",
)
"""Networks of entries that are small enough to be run in a test."""

ENTRY = robustbench.Entry(
    data="cifar10",
    threat="linf",
    name="Tones2020",
    architecture="linear",
    model=MODEL,
    normalise="none",
    weights_key="",
    eps="0.1",
    clean="99.00",
    robust="66.60",
    best_known="",
    images="",
    source="KEY",
    reason="",
)


def a_list_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    allow_code("two_tones")
    monkeypatch.setattr(robustbench, "entries", lambda: (ENTRY,))
    monkeypatch.setattr(robustbench, "CLASSES", {"cifar10": 2})
    monkeypatch.setattr(robustbench.Entry, "data_set", lambda _: SPEC)


def from_hub(folder: Path, **config: object) -> Path:
    """What the hub holds of the network of the entry."""
    folder.mkdir(parents=True)
    weights(folder / "pytorch_model.bin", 0.5)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def seeded(shapes: dict[str, torch.Size]) -> dict[str, Tensor]:
    """Weights in the order of their names; variances and scales around one."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in shapes.items():
        leaf, drawn = name.rpartition(".")[2], torch.rand(shape, generator=generator)
        if leaf == "running_var" or (leaf == "weight" and len(shape) == 1):
            state[name] = 0.5 + drawn
        elif len(shape) > 1:
            state[name] = (drawn - 0.5) * (12 / shape[1:].numel()) ** 0.5
        else:
            state[name] = (drawn - 0.5) * 0.2
    return state


def digest(shapes: Mapping[str, torch.Size]) -> str:
    """Of names and shapes, in their order."""
    text = "\n".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
    return hashlib.sha256(text.encode()).hexdigest()


def ours(spec: str, data: str, normalise: str) -> tuple[Model, int]:
    """The network of an entry, without weights, and the side of its images."""
    side = 224 if spec.startswith(("timm:", "torchvision:alexnet")) else 64
    side = side if data == "imagenet" else 32
    network = make(build(Architecture, spec), (3, side, side), robustbench.CLASSES[data])
    if normalise:
        known = usual([0.5] * 3, [0.5] * 3)
        network.normalise = Normalise(*(known.get(normalise) or written(normalise, 3)))
    return network.eval(), side


def theirs_of(network: nn.Module) -> nn.Module:
    """Without the layer that normalises, if there is one before it."""
    return network.model if hasattr(network, "normalize") else network  # type: ignore[return-value]


def logits(network: nn.Module, side: int) -> Tensor:
    """(2, classes)."""
    x = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    return network(x)  # type: ignore[no-any-return]
