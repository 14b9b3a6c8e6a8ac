"""Braces on the command line, with quotes and without, as a shell hands them over."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from console import Cli
from tiny import OPTIONS

PLAIN = "spirals-samples=40-mlp-width=16-plain-epochs=2-s0"
MIXUP = PLAIN.replace("plain", "mixup")


def words(line: str) -> list[str]:
    """What a shell makes of a line: several words of braces without quotes."""
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def trained(*alphas: str) -> list[str]:
    return [f"to do  train {MIXUP.replace('mixup', f'mixup-alpha={a}')}" for a in alphas]


@pytest.mark.parametrize(
    "line",
    [
        "-m 'mixup:alpha={0.3,0.4}' --dry-run",
        "-m mixup:alpha={0.3,0.4} --dry-run",
        "-mmixup:alpha={0.3,0.4} --dry-run",
        "--method=mixup:alpha={0.3,0.4} --dry-run",
        "--dry-run -m mixup:alpha={0.3,0.4}",
    ],
)
def test_train_takes_a_grid_however_it_is_quoted(cli: Cli, runs: Path, line: str) -> None:
    found = cli("train", *OPTIONS, *words(line))
    assert found.code == 0, found.err
    assert found.out.splitlines() == trained("0.3", "0.4")


def test_a_grid_without_quotes_may_hold_any_methods_where_nothing_else_is_taken(
    cli: Cli, runs: Path
) -> None:
    found = cli("train", *OPTIONS, *words("-m {plain,mixup:alpha=0.3} --dry-run"))
    assert found.out.splitlines() == [f"done   train {PLAIN}", *trained("0.3")]


@pytest.mark.parametrize("quote", ["'", ""])
@pytest.mark.parametrize("command", ["attack", "sweep-epsilon"])
def test_an_attack_takes_a_grid_and_keeps_its_targets(
    cli: Cli, runs: Path, command: str, quote: str
) -> None:
    attacks = f"-a {quote}linf-pgd:steps={{2,3}}{quote}"
    found = cli(command, *words(f"{attacks} runs/{PLAIN} --defence smoothing --dry-run"))
    assert found.code == 0, found.err
    assert found.out.splitlines() == [
        f"to do  linf-pgd:steps={steps} on {PLAIN} behind smoothing" for steps in (2, 3)
    ]


def test_defences_and_analyses_take_grids(cli: Cli, runs: Path) -> None:
    found = cli("attack", f"runs/{PLAIN}", "--defence", "smoothing:sigma={0.1,0.2}", "--dry-run")
    assert [line.rpartition(" behind ")[2] for line in found.out.splitlines()] == [
        "smoothing:sigma=0.1",
        "smoothing:sigma=0.2",
    ]
    found = cli("analyse", f"runs/{PLAIN}", "-n", "per-class:eps={0.1,0.2}", "--dry-run")
    assert len(found.out.splitlines()) == 2, found.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "-m", "vib:beta={1e-4,1e-3"], "a { is not closed"),
        (["train", "-m", "vib:beta={1e-4,}"], "an alternative in the braces is empty"),
        (["train", "-m", "vib:beta=1e-4", "vib:beta="], "vib: beta must be a number; got ''"),
        (["train", "-m", "plain", "nothing"], "no method named 'nothing'"),
        (["attack", "-a", "linf-pgd:steps=2", "linf-fgsm"], "linf-fgsm: no such file"),
    ],
)
def test_a_slip_is_one_line(cli: Cli, runs: Path, arguments: list[str], message: str) -> None:
    found = cli(*arguments)
    assert found.code == 2 and message in found.line
