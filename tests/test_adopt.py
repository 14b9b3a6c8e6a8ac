"""Somebody else's weights: what is certain is guessed, what decides the number is asked."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from two_tones import MODEL, SPEC, two_tones, weights

from robustbench_cli import evaluate
from robustbench_cli.adopt import adopt
from robustbench_cli.data.dataset import Data, Dataset, open_data
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.jobs.attack_config import AttackConfig, make_attack_config
from robustbench_cli.models.model import Architecture, make
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import allow_code, build
from robustbench_cli.trust.examine import examine_runs

CERTAIN, OPEN = 0.9, 0.5
"""Thresholds. 0.9: only the data's normalisation (at 0.77 in pixels) tells the classes apart.
0.5: all do, with the border at 0.5 (none), 0.65 (data) or 0.75 (symmetric) of 0.2 and 0.8."""


@pytest.fixture(scope="module")
def data() -> Data:
    allow_code("two_tones")
    return two_tones()


def asked(*eps: str, attack: str = "linf-pgd", samples: int | None = None) -> list[AttackConfig]:
    return [make_attack_config(attack, SPEC, grid(eps), samples=samples)]


def opened(tmp_path: Path, data: Data, threshold: float, *eps: str, **options: object) -> Run:
    path = weights(tmp_path / "theirs.pt", threshold)
    options = {"model": MODEL, "attacks": asked(*eps) if eps else (), **options}
    return adopt(path, tmp_path / "runs", data, **options)  # type: ignore[arg-type]


def judged(run: Run) -> dict[str, list[float]]:
    return {j["eps"]: j["accuracy"] for j in run.record["guess"]["judged"]}


def test_clean_accuracy_decides_where_the_others_fail(
    tmp_path: Path, data: Data, caplog: pytest.LogCaptureFixture
) -> None:
    run = opened(tmp_path, data, CERTAIN, "0.2")
    assert run.config["normalise"] == "data"
    readings = run.record["guess"]["readings"]
    assert [each["option"] for each in readings if each["possible"]] == ["--normalise data"]
    assert run.record["guess"]["judged"] == [], "nothing to attack"
    assert "normalisation: data (100.0% of 2000 training images right; none 4" in caplog.text


def test_what_decides_the_number_is_asked_in_one_line(tmp_path: Path, data: Data) -> None:
    with pytest.raises(UsageError) as e:
        opened(tmp_path, data, OPEN, "0.2")
    line = str(e.value)
    assert line.isprintable() and "theirs.pt: how it sees images is not said" in line
    for option, left in (("none", r"100\.0"), ("symmetric", r"5\d\.\d"), ("data", r"5\d\.\d")):
        assert re.search(rf"--normalise {option}: 100\.0%[^;]*, {left}%", line), option
    assert line.endswith("or --normalise guess for the first")
    assert not (tmp_path / "runs").exists(), "nothing was decided"


@pytest.mark.parametrize("eps", [("0.02",), ("0.02", "0.6")])
def test_a_tie_is_taken_and_named(
    tmp_path: Path, data: Data, caplog: pytest.LogCaptureFixture, eps: tuple[str, ...]
) -> None:
    run = opened(tmp_path, data, OPEN, *eps)
    assert run.config["normalise"] == "none"
    assert judged(run) == {e: [float(e == "0.02")] * 3 for e in eps}
    assert "which does not matter: " in caplog.text


def test_another_epsilon_is_another_number(tmp_path: Path, data: Data) -> None:
    """A run that was adopted where it did not matter is not used where it does."""
    first = opened(tmp_path, data, OPEN, "0.02")
    again = opened(tmp_path, data, OPEN, "0.02")
    assert again.record == first.record, "judged once"
    with pytest.raises(UsageError, match=r"decides accuracy at 0\.2"):
        opened(tmp_path, data, OPEN, "0.2")
    assert {*judged(opened(tmp_path, data, OPEN, "0.6"))} == {"0.02", "0.6"}


def test_without_an_attack_the_usual_epsilon_decides(tmp_path: Path, data: Data) -> None:
    with pytest.raises(UsageError, match=r"decides accuracy at 0\.1"):
        opened(tmp_path, data, OPEN)


def test_every_norm_is_judged_by_an_attack_of_its_own(tmp_path: Path, data: Data) -> None:
    """Two pixels: 0.2 of each is sqrt(0.08) = 0.28 in L2, and 0.4 in L1."""
    for attack, eps in (("l2-fgm", "0.28"), ("l1-fgm", "0.4")):
        attacks = asked(eps, attack=attack)
        with pytest.raises(UsageError, match=f"after {attack[:2]}-pgd"):
            opened(tmp_path, data, OPEN, attacks=attacks)


def test_what_needs_no_gradient_is_judged_without(tmp_path: Path, data: Data) -> None:
    run = opened(tmp_path, data, OPEN, attacks=asked("0.02", attack="linf-square:queries=9"))
    assert [j["attack"] for j in run.record["guess"]["judged"]] == ["linf-square:queries=50"]
    run = opened(tmp_path, data, OPEN, attacks=asked("0.02", attack="worst-case"))
    assert len(run.record["guess"]["judged"]) == 2, "by both, of which one was known"


def test_test_images_alone_choose_nothing(tmp_path: Path, data: Data) -> None:
    """Which would be choosing by the images that the network is then judged on."""
    nothing = data.train[:0]
    alone = replace(data, train=nothing, validation=nothing, mean=(), std=())
    line = "has no training images that would show it; type --normalise none or"
    with pytest.raises(UsageError, match=line):
        opened(tmp_path, alone, CERTAIN)
    with pytest.raises(UsageError, match="no normalisation 'data'; type --normalise none, symm"):
        opened(tmp_path, alone, CERTAIN, normalise="data")
    run = opened(tmp_path, alone, OPEN, normalise="none")
    assert run.config["normalise"] == "none" and run.record["data"]["train_size"] == 0


def test_what_is_typed_is_not_asked(tmp_path: Path, data: Data) -> None:
    run = opened(tmp_path, data, OPEN, "0.2", normalise="data")
    assert run.config["normalise"] == "data" and "guess" not in run.record
    run = opened(tmp_path, data, OPEN, "0.2", normalise="127.5:76.5")
    assert run.config["normalise"] == "127.5:76.5"
    with pytest.raises(UsageError, match="type --normalise none, symmetric, data, guess, or numb"):
        opened(tmp_path, data, OPEN, "0.2", normalise="imagnet")


def test_the_likeliest_is_taken_for_who_insists_and_a_check_fails(
    tmp_path: Path, data: Data
) -> None:
    run = opened(tmp_path, data, OPEN, "0.2", normalise="guess")
    assert run.config["normalise"] == "none"
    evaluate(run, epsilons="0.2", attack="linf-fgsm", device="cpu")
    (found,) = examine_runs([run]).values()
    (finding,) = [each for each in found if each.check == "guessed-normalisation"]
    assert finding.level == "failure"
    assert "leaves 100.0%, and 52.0% under --normalise symmetric" in finding.text


def test_networks_that_fit_alike_are_readings_too(
    tmp_path: Path, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two names for one function are one reading."""
    both = [build(Architecture, f"mlp:depth=0,width={width}") for width in (5, 6)]
    monkeypatch.setattr("robustbench_cli.models.infer.candidates", lambda: iter(both))
    run = opened(tmp_path, data, CERTAIN, model=None)
    assert run.config["model"] == "mlp:depth=0,width=5"
    assert len(run.record["guess"]["readings"]) == 3


def test_classes_in_another_order_are_refused(tmp_path: Path, data: Data) -> None:
    path = weights(tmp_path / "theirs.pt", CERTAIN, swapped=True)
    with pytest.raises(RunError) as e:
        adopt(path, tmp_path / "runs", data, model=MODEL)
    assert "output 0 is bright, 1 is dark; reorder its last layer" in str(e.value)


def test_weights_that_classify_nothing_are_refused(tmp_path: Path, data: Data) -> None:
    with pytest.raises(RunError, match="under no reading is it right on more than 50"):
        opened(tmp_path, data, 5.0)
    assert opened(tmp_path, data, 5.0, normalise="none").finished, "unless it is typed"


@pytest.fixture
def only_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    """All known networks are held against the weights elsewhere, which takes a while."""
    monkeypatch.setattr("robustbench_cli.models.infer.candidates", lambda: iter(()))


@pytest.mark.usefixtures("only_chains")
def test_what_is_typed_to_attack_weights_that_classify_nothing_does_it(tmp_path: Path) -> None:
    """Also where the network was not named either, and several are possible."""
    digits = open_data(build(Dataset, "digits"), tmp_path)
    torch.manual_seed(0)
    network = make(build(Architecture, "chain:4k3s2-8"), digits.train.shape, 10).network
    path = tmp_path / "theirs.pt"
    torch.save(network.state_dict(), path)
    with pytest.raises(RunError) as e:
        adopt(path, tmp_path / "runs", digits)
    typed = re.search(
        r"or type --model (\S+) --normalise (\S+) to attack it all the s", str(e.value)
    )
    assert typed is not None
    assert adopt(path, tmp_path / "runs", digits, model=typed[1], normalise=typed[2]).finished


def test_of_several_sets_the_only_whole_network_is_taken(
    tmp_path: Path, data: Data, caplog: pytest.LogCaptureFixture
) -> None:
    whole = torch.load(weights(tmp_path / "whole.pt", CERTAIN), weights_only=True)
    other = {"queue": torch.rand(4, 8), "head.bias": torch.rand(2)}
    path = tmp_path / "theirs.pt"
    torch.save({"moco": other, "nest": [{"ema": whole}]}, path)
    run = adopt(path, tmp_path / "runs", data, model=MODEL)
    assert run.config["normalise"] == "data"
    assert "theirs.pt: weights: nest.0.ema (1 more fit no network)" in caplog.text
    torch.save({"net": whole, "ema": {k: v + 1 for k, v in whole.items()}, "moco": other}, path)
    with pytest.raises(RunError, match=r"holds 2 sets of weights: net \(2 tensors\), ema \(2 ten"):
        adopt(path, tmp_path / "runs", data, model=MODEL)


def test_from_python(tmp_path: Path, data: Data) -> None:
    path = weights(tmp_path / "theirs.pt", OPEN)
    options = {"data": SPEC, "model": MODEL, "runs_dir": tmp_path / "runs", "epsilons": "0.2"}
    with pytest.raises(UsageError, match=r"--normalise none: 100\.0%"):
        evaluate(path, **options)  # type: ignore[arg-type]
    for normalise, left in (("none", 1.0), ("0.5:0.3", 0.5)):
        found = evaluate(path, normalise=normalise, **options)  # type: ignore[arg-type]
        assert found.accuracy()["accuracy"].iloc[-1] == left
    with pytest.raises(UsageError, match="normalise is not for a run"):
        evaluate(next((tmp_path / "runs").iterdir()), normalise="none")


@pytest.mark.parametrize(
    "spec",
    [
        "chain:6k4s2p1-16",
        "chain:6k3p1-avg2-12k3-16",  # paddings that differ: unusual, and clearly better
        "chain:20-12,activation=sigmoid",
    ],
)
@pytest.mark.usefixtures("only_chains")
def test_what_shapes_do_not_tell_of_a_chain_is_found_by_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spec: str
) -> None:
    """Strides, paddings, pools and activation of a network whose answers are the labels."""
    digits = open_data(build(Dataset, "digits"), tmp_path)
    torch.manual_seed(1)
    theirs = make(build(Architecture, spec), digits.train.shape, 10).network.eval()
    with torch.no_grad():
        for module in theirs.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                module.weight *= 3  # so that the activation bends
        theirs[-1].bias -= theirs(digits.train.x).mean(0)  # type: ignore[index, operator]
        known = replace(digits.train, labels=theirs(digits.train.x).argmax(1))
    data, path = replace(digits, train=known), tmp_path / "theirs.pt"
    torch.save(theirs.state_dict(), path)
    few = [make_attack_config("linf-pgd", "digits", grid(["0.001"]), samples=10)]
    run = adopt(path, tmp_path / "runs", data, attacks=few)
    assert run.config["model"] == spec
    readings = run.record["guess"]["readings"]
    assert readings[0]["right"] == readings[0]["of"]
    assert len(readings) <= 12
    assert f"{spec}, matched" in caplog.text


def test_weights_of_another_activation_are_refused_unless_the_network_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [build(Architecture, "small-cnn")]  # of those with these shapes
    monkeypatch.setattr("robustbench_cli.adopt.fitting", lambda *_, **__: alone)
    digits = open_data(build(Dataset, "digits"), tmp_path)
    torch.manual_seed(0)
    theirs = make(build(Architecture, "small-cnn"), digits.train.shape, 10).network.eval()
    for name, module in theirs.named_children():
        if isinstance(module, torch.nn.ReLU):
            setattr(theirs, name, torch.nn.Tanh())
    with torch.no_grad():
        theirs[-1].bias -= theirs(digits.train.x).mean(0)  # so that all classes occur
        known = replace(digits.train, labels=theirs(digits.train.x).argmax(1))
    data, path = replace(digits, train=known), tmp_path / "theirs.pt"
    torch.save(theirs.state_dict(), path)
    with pytest.raises(UsageError, match=r"small-cnn has the same shapes.*Tanh instead of ReLU"):
        adopt(path, tmp_path / "runs", data, normalise="none")
    caplog.clear()
    few = [make_attack_config("linf-pgd", "digits", grid(["0.01"]), samples=10)]
    adopt(path, tmp_path / "runs", data, normalise="guess", attacks=few)
    assert "instead of ReLU" in caplog.text
    caplog.clear()
    adopt(path, tmp_path / "runs", data, normalise="none", model="small-cnn")
    assert "Tanh" not in caplog.text
