"""Networks of the user's own, by import path: `my_lab.nets:MyNet`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.foreign import guess_joints
from robustbench_cli.models.model import Architecture, make
from robustbench_cli.models.own import OwnNetwork, open_architecture

NETS = '''
from dataclasses import dataclass

from torch import nn
from robustbench_cli.models.model import Architecture
from robustbench_cli.spec import param


class MyNet(nn.Module):
    """A plain network; nothing of robustmix in it."""

    def __init__(self, num_classes=10):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 4, 3)
        self.fc1 = nn.Linear(4 * 24 * 24, 8)
        self.fc2 = nn.Linear(8, num_classes)

    def forward(self, x):
        h = self.relu(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.fc2(self.relu(self.fc1(h.flatten(1))))


class Lazy(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.LazyLinear(6), nn.ReLU(), nn.LazyLinear(10))


def function():
    return Lazy()


class Broken(nn.Module):
    def __init__(self):
        raise ValueError("line one\\nline two")


class Needy(nn.Module):
    def __init__(self, width):
        super().__init__()


number = 3


def not_a_network():
    return 3


@dataclass(kw_only=True)
class Family(Architecture):
    """A family with a parameter."""

    width: int = param(4, "units")
    stages = ("1",)
    head = "1"

    def build(self, shape, classes):
        return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))
'''


@pytest.fixture(autouse=True)
def my_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_lab").mkdir()
    (tmp_path / "my_lab" / "__init__.py").touch()
    (tmp_path / "my_lab" / "nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_plain_network_becomes_an_architecture_and_keeps_its_name() -> None:
    architecture = open_architecture("my_lab.nets:MyNet")
    assert str(architecture) == "my_lab.nets:MyNet"
    assert architecture == open_architecture(str(architecture))
    model = make(architecture, (1, 28, 28), 7)
    assert model(torch.rand(2, 1, 28, 28)).shape == (2, 7)
    assert model.head is model.network.fc2
    assert model.stages == [model.normalise, model.network.conv2, model.network.fc1]
    assert not model.network.relu.inplace
    assert model.training


@pytest.mark.parametrize("name", ["Lazy", "function"])
def test_a_class_without_parameters_and_a_function_will_do(name: str) -> None:
    model = make(open_architecture(f"my_lab.nets:{name}"), (1, 8, 8), 10)
    assert model(torch.rand(2, 1, 8, 8)).shape == (2, 10)


def test_a_family_of_networks_takes_parameters() -> None:
    architecture = open_architecture("my_lab.nets:Family:width=9")
    assert str(architecture) == "my_lab.nets:Family:width=9"
    assert make(architecture, (1, 2, 2), 3)(torch.rand(2, 1, 2, 2)).shape == (2, 3)


def test_names_objects_and_classes_are_accepted() -> None:
    lenet = open_architecture("lenet5")
    assert open_architecture(lenet) is lenet
    assert str(open_architecture("wide-resnet:depth=16")) == "wide-resnet:depth=16"
    assert str(open_architecture("torchvision:resnet34")) == "torchvision:resnet34"
    own = open_architecture(nn.Identity)
    assert isinstance(own, OwnNetwork)
    assert str(own) == "torch.nn.modules.linear:Identity"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("lenet6", "no model named 'lenet6'; did you mean 'lenet5'"),
        ("my_lab.nets:Absent", "module my_lab.nets has no 'Absent'"),
        ("my_lab.absent:MyNet", "no module named 'my_lab.absent'"),
        ("my_lab.nets:number", "my_lab.nets:number is no network"),
        ("my_lab.nets:MyNet:width=3", "takes no parameters from a spec"),
        (nn.Linear(2, 2), "a Linear is no model; .*the class, not an object"),
    ],
)
def test_what_is_no_network_is_refused(given: str | nn.Module, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_architecture(given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "classes", "message"),
    [
        ("Broken", 10, "could not be made: ValueError: line one; it is called with num_classes="),
        ("Needy", 10, "could not be made: TypeError: .*width"),
        ("not_a_network", 10, "made a int, expected a torch.nn.Module"),
        ("MyNet", 10, "cannot take 3x32x32 images: RuntimeError: .*1 channels"),
        ("Lazy", 7, r"into logits \(2, 7\); it gives \(2, 10\)"),
    ],
)
def test_a_network_that_does_not_work_is_refused_in_one_line(
    name: str, classes: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as e:
        make(open_architecture(f"my_lab.nets:{name}"), (3, 32, 32), classes)
    assert str(e.value).isprintable()


def test_a_file_may_not_name_code_that_the_user_did_not_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_lab.py").write_text("raise SystemExit('this was run')")
    with pytest.raises(UsageError, match="--allow-code their_lab"):
        open_architecture("their_lab:Net", trusted=False)


def test_joints_are_guessed_from_the_order_of_the_children() -> None:
    wrapped = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3)))
    wrapped.append(nn.Flatten()).append(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    assert guess_joints(wrapped) == (["0.2", "2"], "2.1")
    blocks = nn.ModuleDict({"blocks": nn.ModuleList([nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)])})
    assert guess_joints(nn.ModuleDict({"a": blocks, "fc": nn.Linear(1, 1)})) == (
        ["a.blocks.1"],
        "fc",
    )
    assert guess_joints(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1))) == (["1"], "")


def test_an_architecture_of_the_package_is_no_network_class() -> None:
    assert isinstance(open_architecture("mlp"), Architecture)
