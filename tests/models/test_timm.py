"""Networks of timm: a transformer, a ConvNeXt and one with group norm, in timm's test sizes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.throughput.fast_path import Crafting, _faster
from robustbench_cli.models.architectures.timm import _library
from robustbench_cli.models.fitting import Match, Mismatch, compare
from robustbench_cli.models.model import Architecture, Model, make
from robustbench_cli.spec import build, build_all
from robustbench_cli.training.batch import Batch
from robustbench_cli.training.method import Method
from robustbench_cli.training.objective import Objective

timm = pytest.importorskip("timm")
COLOUR = (3, 32, 32)
KINDS = ["timm:test_vit,patch-size=8", "timm:test_convnext", "timm:test_efficientnet_gn"]
METHODS = [
    *("manifold-mixup", "vib", "info-mixup", "batchout", "layerwise-at", "jacobian"),
    *("large-margin", "advprop:steps=1", "sat", "dropout"),
]
LACKING = {  # what has no meaning there, and is said
    ("test_vit", "advprop"): "no batch norm to double",
    ("test_convnext", "advprop"): "no batch norm to double",
    ("test_efficientnet_gn", "advprop"): "no batch norm to double",
    ("test_vit", "sat"): "no ReLU to smooth",
    ("test_convnext", "sat"): "no ReLU to smooth",
    ("test_efficientnet_gn", "sat"): "no ReLU to smooth",
}


def model_of(spec: str, shape: tuple[int, int, int] = COLOUR) -> Model:
    torch.manual_seed(0)
    return make(build(Architecture, spec), shape, 4)


@pytest.mark.parametrize("spec", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_methods_train_it_or_say_that_they_do_nothing(
    spec: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    model, methods = model_of(spec), build_all(Method, method)
    for each in methods:
        each.adapt(build(Dataset, "cifar10"))
    objective = Objective(model.train(), methods)
    objective(Batch.of(torch.rand(8, *COLOUR), torch.arange(8) % 4, 4)).loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert any(p.grad is not None and p.grad.any() for p in model.network.parameters())
    lacks = LACKING.get((spec.partition(":")[2].partition(",")[0], method.partition(":")[0]), "")
    assert lacks in caplog.text
    assert bool(caplog.text) == bool(lacks)


@pytest.mark.parametrize("spec", KINDS)
def test_attacks_craft_on_a_faster_copy_that_agrees(spec: str) -> None:
    model, x = model_of(spec).eval(), torch.rand(4, *COLOUR)
    faster = _faster(model, x, Crafting())
    assert faster is not None
    with torch.no_grad():
        torch.testing.assert_close(faster(x), model(x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spec", KINDS)
def test_what_enters_a_stage_decides_the_logits(spec: str) -> None:
    model, x = model_of(spec).eval(), torch.rand(3, *COLOUR)
    assert len(model.stages) >= 4
    assert isinstance(model.head, nn.Linear)
    with torch.no_grad():
        before = model(x)
        for stage in model.stages:
            handle = stage.register_forward_pre_hook(
                lambda _, args: (args[0].roll(1, 0), *args[1:])
            )
            torch.testing.assert_close(model(x), before.roll(1, 0), rtol=1e-4, atol=1e-5)
            handle.remove()


def test_its_normalisation_is_that_of_its_pretrained_weights() -> None:
    known = timm.get_pretrained_cfg("test_vit")
    own = build(Architecture, "timm:test_vit").normalisation
    assert own(3) == (list(known.mean), list(known.std))
    assert own(1) == ([sum(known.mean) / 3], [sum(known.std) / 3])


def test_weights_of_the_hub_are_those_that_timm_would_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """From a file in the place of the hub's, in timm's own way: another head, and grey images."""
    file = tmp_path / "weights.pth"
    theirs = timm.create_model("test_resnet")
    torch.save(theirs.state_dict(), file)
    config = timm.get_pretrained_cfg("test_resnet")
    monkeypatch.setattr(config, "file", str(file))
    monkeypatch.setattr(timm, "get_pretrained_cfg", lambda _: config)
    create = timm.create_model

    def from_file(name: str, **options: Any) -> nn.Module:
        return create(name, pretrained_cfg_overlay={"file": str(file)}, **options)

    monkeypatch.setattr(timm, "create_model", from_file)
    architecture, shape = build(Architecture, "timm:test_resnet,pretrained=true"), (1, 28, 28)
    network = architecture.build(shape, 10)
    architecture.begin(network, shape, 10)
    assert torch.equal(network.layer1[0].conv1.weight, theirs.layer1[0].conv1.weight)
    assert network.fc.out_features == 10
    assert "new head: 10 classes" in caplog.text


@pytest.mark.parametrize(
    ("spec", "shape", "message"),
    [
        ("timm:resnet19", COLOUR, "timm has no network named 'resnet19'; did you mean 'resnet1"),
        ("timm:resnet18.foo", COLOUR, "Invalid pretrained tag .foo."),
        ("timm:test_resnet,patch-size=3", COLOUR, "or leave out patch-size"),
        ("timm:test_resnet,depth=3", COLOUR, "or leave out depth"),
        ("timm:test_resnet,stem=convolutions", COLOUR, "expected a convnext or a vit with patches"),
        ("timm:test_vit,patch-size=100000", COLOUR, "of 100000x100000 leave a border of 32x32"),
        ("timm:test_vit", (1, 28, 28), "border of 28x28 images unseen.*test_vit,patch-size=4"),
        ("timm:test_vit", (1, 28, 20), "border of 28x20 images unseen.*test_vit,patch-size=2"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    spec: str, shape: tuple[int, int, int], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as e:
        build(Architecture, spec).build(shape, 10)
    assert "\n" not in str(e.value)


def test_weights_that_cannot_be_had_are_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    architecture = build(Architecture, "timm:test_resnet,pretrained=true")
    network = architecture.build(COLOUR, 10)

    def offline(*_: object, **__: object) -> nn.Module:
        raise OSError("no such host\nand more")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(UsageError, match=r"\(OSError: no such host\); go online once") as e:
        architecture.begin(network, COLOUR, 10)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("timm:test_vit", "sees 32x32 images as 4 patches; patch-size=4"),
        ("timm:test_convnext", "made for 160x160 images: of 32x32, 1x1 pixels are left"),
        ("timm:test_vit,patch-size=4", ""),
    ],
)
def test_small_images_are_told_before_a_training(
    spec: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    architecture = build(Architecture, spec)
    network = architecture.build(COLOUR, 10)
    assert not caplog.text  # an evaluation builds it, too
    architecture.begin(network, COLOUR, 10)
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)


def test_weights_under_the_names_of_earlier_versions_are_read_as_timm_does() -> None:
    architecture = build(Architecture, "timm:swin_tiny_patch4_window7_224")
    with torch.device("meta"):
        network = architecture.build((3, 224, 224), 10)
        mask = torch.zeros(64, 49, 49)
    old = {
        re.sub(r"layers.(\d).downs", lambda m: f"layers.{int(m[1]) - 1}.downs", name).replace(
            "head.fc", "head"
        ): value
        for name, value in network.state_dict().items()
    }
    old["layers.0.blocks.1.attn_mask"] = mask
    assert isinstance(compare(old, network), Mismatch)
    assert isinstance(compare(architecture.renamed(old, network), network), Match)
    table = "layers.0.blocks.0.attn.relative_position_bias_table"
    other = {**old, table: torch.zeros(23 * 23, 3)}  # timm would interpolate it
    assert architecture.renamed(other, network) is other


def test_without_timm_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    _library.cache_clear()
    with pytest.raises(UsageError, match=r'pip install "robustmix\[timm\]"'):
        build(Architecture, "timm:resnet18")
    _library.cache_clear()
