"""In full, what the network alone decides is measured beside its first attack and no other."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import torch
from tiny import attack_job
from torch import nn

from robustbench_cli.epsilon import eps_range
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.measure import measure
from robustbench_cli.evaluation.sharing import Sharing
from robustbench_cli.evaluation.signal import Numbers, Scene, Signal
from robustbench_cli.evaluation.signals.convergence import Convergence
from robustbench_cli.evaluation.signals.loss_jumps import LossJumps
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import build, names

PLAIN = "spirals-samples=40-mlp-width=16-plain-epochs=2-s0"
SHARED = {"answers", "forward-pass", "gradients", "input-scale", "loss-jumps"}
PGD = "linf-pgd:steps=2"


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough random points for forty samples."""
    from robustbench_cli.evaluation.signals import rivals

    monkeypatch.setitem(rivals.DRAWS, "full", 3)
    monkeypatch.setattr(rivals, "QUERIES", 3)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For each evaluation that is measured, how many images its network is shown meanwhile."""
    counts: list[int] = []

    def counted(model: nn.Module, *args: Any, **options: Any) -> dict[str, Any]:
        counts.append(0)

        def see(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            counts[-1] += len(given[0])

        hook = model.register_forward_pre_hook(see)
        try:
            return measure(model, *args, **options)
        finally:
            hook.remove()

    monkeypatch.setattr("robustbench_cli.jobs.attack.measure", counted)
    return counts


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """For each evaluation that is measured, what is found where nothing is shared."""
    found: list[dict[str, Any]] = []

    def twice(*args: Any, beside: Path | None) -> dict[str, Any]:
        found.append(measure(*args))
        return measure(*args, beside=beside)

    monkeypatch.setattr("robustbench_cli.jobs.attack.measure", twice)
    return found


def signals_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())["signals"]
    del found["seconds"]
    return found


def full(runs: Path, attack: str = "linf-fgsm", *eps: str, **options: Any) -> Path:
    return attack_job(runs / PLAIN, attack, *eps, checks="full", **options).run()


def test_a_second_attack_shows_the_network_nothing_that_it_has_answered(
    runs: Path, shown: list[int]
) -> None:
    full(runs)
    full(runs, "linf-fgsm", "0.03")
    full(runs, eight_bit=True)
    assert shown[0] > 0 and shown[1:] == [0, 0], "one step has no signals of its own"
    full(runs, PGD)
    assert shown[3] > 0
    shutil.rmtree(runs / PLAIN / "attacks")
    full(runs, PGD)
    assert shown[4] - shown[3] == shown[0], "all that was spared"


def test_every_number_is_that_of_a_measurement_of_its_own(
    runs: Path, alone: list[dict[str, Any]]
) -> None:
    paths = [full(runs), full(runs, PGD), full(runs, "l2-pgd:steps=3"), full(runs, "linf-noise")]
    for path, expected in zip(paths, alone, strict=True):
        del expected["seconds"]
        assert expected.keys() >= SHARED and signals_of(path) == expected


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"samples": 20}, {"view": "bare"}, {"defence": "jpeg"}], ids=str
)
def test_another_question_has_an_answer_of_its_own(
    runs: Path, shown: list[int], change: dict[str, Any]
) -> None:
    full(runs)
    full(runs, **change)
    assert shown[1] > 0


def test_other_weights_are_measured_anew(runs: Path, shown: list[int]) -> None:
    full(runs)
    shutil.copy(runs / PLAIN.replace("plain", "mixup") / "model.safetensors", runs / PLAIN)
    full(runs, "linf-fgsm", "0.03")
    assert shown[0] > 0 and shown[1] > 0


def test_quick_checks_and_forced_ones_measure_for_themselves(runs: Path, shown: list[int]) -> None:
    full(runs)
    full(runs, force=True)
    assert shown[0] == shown[1] > 0
    path = attack_job(runs / PLAIN, "linf-pgd:steps=60", checks="quick").run()
    assert 0 < shown[2] < shown[0] and "answers" in signals_of(path)


def test_what_was_measured_before_a_kill_is_kept(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as during, pytest.raises(KeyboardInterrupt):
        during.setattr(Convergence, "measure", killed)
        full(runs, PGD + "0,restarts=9")  # dearer than all that is shared, and so the last
    monkeypatch.setattr(LossJumps, "measure", killed)
    assert signals_of(full(runs, PGD + "0,restarts=9"))["loss-jumps"]["n"] > 0


def test_two_processes_take_turns(
    linear: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sharing = Sharing.beside(tmp_path / "attacks", scene(linear))
    inside, calls = threading.Event(), []

    def slowly() -> Numbers:
        calls.append(1)
        inside.set()
        sleep(0.2)
        return {"change": 0.1 + 0.2}

    def never() -> Numbers:
        raise AssertionError

    first = threading.Thread(target=sharing.once, args=("loss-jumps", slowly))
    first.start()
    assert inside.wait(10)
    assert sharing.once("loss-jumps", never) == {"change": 0.1 + 0.2}, "to the last bit"
    first.join()
    assert not caplog.messages, "two workers of one command wait in silence"


class Unread:
    """An attack that nobody may ask."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"read {name} of the attack")


def scene(linear: Any, found: Evaluation | None = None) -> Scene:
    found = found or evaluate_model(linear.model, linear.images, PGD, eps_range("0:0.04:0.02"))
    unread: Any = Unread()
    return Scene(linear.model, linear.images, found, unread, 0)


def test_shared_signals_read_nothing_of_the_attack(linear: Any) -> None:
    assert {n for n in names("signals") if build(Signal, n).shared} == SHARED
    other = evaluate_model(linear.model, linear.images, "l2-fgm", eps_range("0:0.5:0.5"))
    for signal in (build(Signal, name) for name in sorted(SHARED)):
        results = []
        for given in (scene(linear), scene(linear, other)):
            assert signal.calls(given, "full") > 0
            torch.manual_seed(0)
            results.append(dict(signal.measure(given, 16, "full")))
            assert not {"survivors", "eps"} & given.__dict__.keys(), "what the attack left"
        assert results[0] == results[1]
