"""The commands on a device: train, attack, certify, transfer, defend, look inside, adopt."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pretend_device import pretend_device
from safetensors.torch import load_file

from robustbench_cli.cli import main
from robustbench_cli.spec import names

pytestmark = pytest.mark.slow  # a minute in all

DEVICE = ["--device", "meta"]
TRAIN = ["--data", "digits", "--epochs", "1", "--train-fraction", "0.02", *DEVICE]
PLAIN = "digits-lenet5-plain-epochs=1-train-fraction=0.02-s0"
ANALYSES = [
    "church-window:images=2,points=5",
    "in-between:pairs=4,points=3",
    "logit-line:images=2,points=5,halvings=2",
    "subspace-dimension:images=2,most=3,random=5",
    "adversarials:attack=linf-fgsm,images=3",
    "per-class:attack=linf-fgsm,eps=0.1",
    "embedding:images=6",
    "representation-spectrum:images=2",
    "corruptions:only=contrast,samples=3",
]
POINTS = {"decision-regions", "margin"}  # of the plane, not of images


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that were trained there: plain, and one on a corpus that it crafts there, too."""
    runs = tmp_path_factory.mktemp("device") / "runs"
    methods = "plain", f"corpus-at:source={PLAIN},attack=linf-fgsm"
    with pretend_device():
        for method in methods:
            assert main(["train", "-m", method, *TRAIN, "--runs-dir", str(runs)]) == 0
    return runs


def run(*command: object) -> None:
    with pretend_device():
        assert main([*map(str, command), *DEVICE]) == 0


def test_weights_from_there_are_weights_here(folder: Path) -> None:
    for path in folder.glob("*/model.safetensors"):
        assert all(value.device.type == "cpu" for value in load_file(path).values())


def test_fine_tuning_with_layers_that_stay_and_an_ensemble_of_both(folder: Path) -> None:
    more = "--init", PLAIN, "--freeze", "conv1", "--class-weights", "balanced"
    run("train", *TRAIN, "-m", "pgd-at:steps=1", *more, "--runs-dir", folder)
    (tuned,) = folder.glob("*pgd-at*")
    both = f"{folder / PLAIN}+{tuned}"
    run("attack", both, "-a", "linf-fgsm", "-e", "0.1", "--samples", 12, "--runs-dir", folder)


def test_attacks_with_their_checks_and_signals(folder: Path) -> None:
    attacks = "-a", "linf-pgd:steps=5", "-a", f"transfer:{folder / PLAIN},attack=linf-fgsm"
    run("attack", folder / PLAIN, *attacks, "-e", "0.1", "--samples", 12, "--checks", "full")
    run("attack", folder / PLAIN, "-a", "certify:n=20,n0=5", "-e", "0.1", "--samples", 5)
    run("attack", folder / PLAIN, "-a", "linf-fgsm", "-e", "0.1", "--samples", 5, "--eight-bit")


DEFENCES = [
    *(
        "jpeg",
        "bit-depth",
        "quilting",
        "rotation",
        "crop-resize:draws=2",
        "resize-pad:low=0.9,high=1,draws=2",
    ),
    *("mixup-inference:draws=2", "noisy-inference:draws=2", "averaging:draws=2"),
    *("smoothing:n=2", "total-variation:steps=2"),
]


@pytest.mark.parametrize("defence", DEFENCES)
def test_defences(folder: Path, defence: str) -> None:
    given = ("-a", "linf-pgd:steps=2", "-e", "0.1", "--samples", 3, "--checks", "off")
    run("attack", folder / PLAIN, *given, "--defence", defence)


def test_a_transfer(folder: Path) -> None:
    target = next(path for path in folder.iterdir() if "corpus" in path.name)
    given = ("-a", "linf-pgd:steps=2", "-e", "0.1", "--samples", 6)
    run("transfer", "--source", folder / PLAIN, "--target", target, *given)


@pytest.mark.parametrize("analysis", ANALYSES)
def test_analyses(folder: Path, analysis: str) -> None:
    run("analyse", folder / PLAIN, "-n", analysis)


def test_no_analysis_was_left_out() -> None:
    assert {text.partition(":")[0] for text in ANALYSES} | POINTS == set(names("analyses"))


def test_adopted_weights(folder: Path, tmp_path: Path) -> None:
    state = load_file(folder / PLAIN / "model.safetensors")
    bare = {k.removeprefix("network."): v for k, v in state.items() if "normalise" not in k}
    torch.save(bare, tmp_path / "theirs.pt")
    given = ("-a", "linf-fgsm", "-e", "0.1", "--samples", 5, "--normalise", "data")
    given += ("--model", "lenet5")  # to guess it, every architecture would be built
    command = ("attack", tmp_path / "theirs.pt", "--data", "digits", *given)
    run(*command, "--runs-dir", tmp_path / "runs")


def test_a_training_that_stops_on_an_attack(tmp_path: Path) -> None:
    stop = ("--stop-on", "linf-pgd:steps=2", "--validation", 0.02)
    run("train", "-m", "plain", *TRAIN[:-2], *stop, "--runs-dir", tmp_path)
