"""Trackers from the command line: what is typed, said and printed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from console import Cli
from recorder import RECORDER, told
from tiny import OPTIONS

from robustbench_cli.runs.run import load_runs


def test_track_prints_what_was_new_to_whom(cli: Cli, attacked: Path) -> None:
    first = cli("track", "runs/*plain*s0", "--to", RECORDER)
    (run,) = (r.path for r in load_runs("runs/*plain*s0"))
    news = "2 epochs, attacks, decay-curve"
    assert (first.code, first.out) == (0, f"{run}  {RECORDER}  {news}\n")
    again = cli("track", run, "--to", RECORDER)
    assert (again.code, again.out) == (0, f"{run}  {RECORDER}  nothing new\n")


@pytest.mark.slow
def test_track_goes_on_after_a_failure_and_says_so(cli: Cli, attacked: Path) -> None:
    broken = f"{RECORDER}:fail=result"
    result = cli("track", "--to", broken, "--to", RECORDER, "-q")
    assert result.code == 3 and result.out.count("\n") == 3
    assert result.err.count(f"to {broken}: RuntimeError: out of order\n") == 3


def test_train_tells_and_prints_directories_only(cli: Cli, runs: Path) -> None:
    result = cli("train", *OPTIONS, "--seed", 7, "--track", RECORDER)
    assert result.code == 0
    run = Path(result.out.strip())
    assert [each["call"] for each in told(run)] == ["begin", "epoch", "epoch", "end"]


def test_attack_tells_of_its_runs(cli: Cli, runs: Path) -> None:
    run = load_runs(runs)[0].path
    result = cli("attack", run, "-a", "linf-fgsm", "-e", "0.01", "--track", RECORDER)
    assert result.code == 0 and result.out.startswith("Accuracy in %")
    assert told(run, "result")[0]["name"] == "attacks"


def test_a_whole_experiment_tells_of_both(cli: Cli, runs: Path) -> None:
    Path("e.toml").write_text(
        '[train]\ndata = "spirals:samples=40"\nmodel = "mlp:width=16"\nepochs = 1\n'
        '[[attack]]\nattack = "linf-fgsm"\neps = "0.01"\n'
    )
    result = cli("run", "e.toml", "--track", RECORDER, "-j", 1)
    assert result.code == 0, result.err
    (run,) = (r.path for r in load_runs("runs/*epochs=1*"))
    calls = [each["call"] for each in told(run)]
    assert calls == ["begin", "epoch", "end", "begin", "result", "picture", "end"]


def test_one_that_is_not_installed_is_a_warning_or_an_error(
    cli: Cli, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    remedy = 'wandb is not installed; type: pip install "robustmix[wandb]"'
    train = cli("train", *OPTIONS, "--seed", 7, "--track", "wandb")
    assert train.code == 0 and train.out and train.err == f"warning: --track: {remedy}\n"
    track = cli("track", "--to", "wandb")
    assert track.code == 2 and track.line == f"Error: --to {remedy}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--track", "wandbb"], "no tracker named 'wandbb'; did you mean 'wandb'?"),
        (["attack", "runs", "--track", "tensorboard:x=1"], "tensorboard has no parameter 'x'"),
        (["track", "--to", "neptune"], "no tracker named 'neptune'; type: robustmix --list"),
        (["track", "nowhere", "--to", "tensorboard"], "nowhere: no such file or directory"),
        (["track"], "Missing option '--to'"),
    ],
)
def test_a_slip_gets_one_line(cli: Cli, runs: Path, arguments: list[str], message: str) -> None:
    result = cli(*arguments)
    assert result.code == 2 and message in result.line
    assert len(list(runs.glob("*/run.json"))) == 3


def test_trackers_are_listed(cli: Cli) -> None:
    listing = cli("--list", "trackers").out.splitlines()
    assert [line.split()[0] for line in listing] == ["mlflow", "tensorboard", "trackio", "wandb"]
