"""robustmix itself: help, lists, explanations, streams, exit codes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from console import Cli
from tiny import OPTIONS, in_a_process

from robustbench_cli import __version__
from robustbench_cli.cli import app, main, show
from robustbench_cli.spec import ROOMS, names, one_of

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
EVERY = [(room, name) for room in ROOMS for name in names(room)]
COMMANDS = ["train", "attack", "sweep-epsilon", "transfer", "analyse", "report", "run"]


def test_help_names_every_command(cli: Cli) -> None:
    found = cli("--help")
    assert found.code == 0 and found.err == ""
    assert all(f"\n  {command} " in found.out for command in COMMANDS)
    assert cli("-h").out == found.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(cli: Cli, command: str) -> None:
    found = cli(command, "--help")
    assert found.code == 0 and found.err == ""
    assert f"robustmix {command}" in found.out
    options = [line for line in found.out.splitlines() if line.lstrip().startswith("-")]
    assert options and "Options:" in found.out


def test_nothing_typed_is_answered_by_the_help(cli: Cli) -> None:
    found = cli()
    assert found.code == 2 and found.out == ""
    assert found.err.startswith("Usage: robustmix") and "Error" not in found.err


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"robustmix {__version__}\n"
    newest, *_ = re.findall(r"^## (\d\S*)", CHANGELOG.read_text("utf-8"), re.MULTILINE)
    assert newest == __version__, "CHANGELOG.md says nothing of this version"


# --- what there is ---


@pytest.mark.parametrize("room", ROOMS)
def test_a_list_has_a_line_for_each(cli: Cli, room: str) -> None:
    found = cli("--list", room)
    assert found.code == 0 and found.err == ""
    assert tuple(line.split()[0] for line in found.out.splitlines()) == names(room)
    assert all(len(line.split()) > 3 for line in found.out.splitlines()), "no explanation"


def test_no_such_list(cli: Cli) -> None:
    found = cli("--list", "atacks")
    assert found.code == 2
    assert found.line.endswith(
        "expected one of methods, attacks, models, datasets, figures, "
        "checks, signals, analyses, trackers, robustbench; did you mean 'attacks'?"
    )


@pytest.mark.parametrize(("room", "name"), EVERY, ids=["-".join(each) for each in EVERY])
def test_everything_that_is_listed_can_be_explained(cli: Cli, room: str, name: str) -> None:
    found = cli("--explain", name)
    assert found.code == 0 and found.err == ""
    assert f"\n\n{name} ({one_of(room)})\n" in f"\n\n{found.out}"
    assert len(found.out.splitlines()) > 3
    assert "class '" not in found.out and "Union" not in found.out, "a type, not a word"


def test_an_explanation_shows_parameters_with_defaults(cli: Cli) -> None:
    out = cli("--explain", "mixup").out
    assert "Cost per step: 1 forward, 1 backward." in out
    assert "alpha       1      both parameters of the Beta distribution of λ [float]" in out
    assert "Written as: mixup:alpha=1" in out


def test_a_composition_is_explained_part_by_part(cli: Cli) -> None:
    out = cli("--explain", "mixup:alpha=0.4+pgd-at:eps=8/255").out
    assert out.startswith("mixup (method)") and "\npgd-at (method)\n" in out


def test_nothing_of_that_name(cli: Cli) -> None:
    found = cli("--explain", "mixp")
    assert found.code == 2 and "did you mean 'mixup'?" in found.line


# --- errors ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tarin"], "No such command 'tarin'"),
        (["begin"], "No such command 'begin'. Type robustmix --help"),
        (["explain", "vib"], "No such command 'explain'. Type robustmix --explain"),
        (["train", "--epoch", "3"], "No such option: --epoch"),
        (["train", "--epochs", "three"], "Invalid value for '--epochs'"),
        (["train", "--schedule", "cosin"], "Invalid value for '--schedule'"),
        (["train", "--seed", "-1"], "Invalid value for '--seed'"),
        (["train", "extra"], "unexpected extra argument"),
        (["attack"], "Missing argument"),
        (["run"], "Missing argument"),
        (["transfer", "--source", "a"], "Missing option '--target'"),
        (["attack", "runs", "-f", "xml"], "Invalid value for '--format'"),
        (["attack", "runs", "-j", "0"], "Invalid value for '--jobs'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(cli: Cli, arguments: list[str], message: str) -> None:
    found = cli(*arguments)
    assert found.code == 2 and message in found.line


def test_a_bug_is_one_line_and_shows_where_with_debug(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(show, "list_jobs", broken)
    found = cli("train", *OPTIONS, "--dry-run")
    assert found.code == 1
    assert found.line == (
        "Error: ZeroDivisionError: division (a bug of robustmix; --debug shows where)"
    )
    found = cli("train", *OPTIONS, "--dry-run", "--debug")
    assert "Traceback" in found.err and found.code == 1


def test_an_interrupt_is_130(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("robustbench_cli.training.train.Trainer._epoch", interrupt)
    found = cli("train", *OPTIONS)
    assert found.code == 130
    assert found.line == "Error: interrupted; the same command goes on where it was"


ODD = [
    *("", "-", "--", "=", ":", "+", "/", "\n", "é", "[", "{0}%s", "9" * 400, "a" * 300),
    *(
        "1/0",
        "nan",
        "-1",
        "1e999",
        "plain+",
        "mixup:alpha",
        "mixup:=1",
        "os:system",
        ":x",
        "--json",
    ),
]
FORMS = [
    ["train", *OPTIONS, "--dry-run", "-m"],
    ["train", *OPTIONS, "--dry-run", "--data"],
    ["train", "--dry-run", "--model"],
    ["attack", "runs", "--dry-run", "-a"],
    ["attack", "runs", "--dry-run", "-e"],
    ["sweep-epsilon", "runs", "--dry-run", "--eps-range"],
    ["attack", "--dry-run"],
    ["report", "runs", "--by"],
    ["report", "runs", "-a"],
    ["report", "runs", "-e"],
    ["report", "runs", "-o", "x.png", "--figure"],
    ["report", "runs", "--figure", "decay-curve", "-o"],
    ["report"],
    ["run", "--dry-run"],
    ["transfer", "--dry-run", "--source", "runs", "--target"],
    ["--explain"],
    ["--list"],
    [],
]


@pytest.mark.parametrize("form", FORMS, ids=" ".join)
def test_no_argument_is_too_odd(
    cli: Cli, attacked: Path, form: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is typed, the answer is a result, or one line and a code; never a traceback."""
    monkeypatch.setattr("robustbench_cli.spec.registry._allowed", set())
    for odd in ODD:
        found = cli(*form, odd)
        typed = [*form, odd]
        assert found.code in (0, 1, 2, 3), typed
        for unwanted in ("Traceback", "bug of robustmix", "type --debug", "Warning"):
            assert unwanted not in found.err, (typed, found)
        if found.code == 2:
            assert (found.out == "" and found.err.count("\n") == 1) or "Usage" in found.err, typed


# --- a process of its own ---


def test_streams_are_apart_and_a_run_is_usable_in_a_shell(tmp_path: Path) -> None:
    command = ["-m", "robustbench_cli", "train", *OPTIONS, "-v"]
    with in_a_process(*command, cwd=tmp_path) as process:
        out, err = process.communicate(timeout=100)
    assert process.returncode == 0
    assert (tmp_path / out.strip() / "model.safetensors").is_file() and out.count("\n") == 1
    assert "done: train spirals" in err


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and signals of Unix")
def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    command = (
        f"{sys.executable} -m robustbench_cli --list methods | head -1; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    first, code = done.stdout.split("\n")[:2]
    assert first.split()[0] == names("methods")[0] and code == "0"
    assert done.stderr == ""


def test_nobody_listens_at_all(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "robustbench_cli", "--list", "methods"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(write)
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize(
    ("sent", "code", "line"),
    [
        (signal.SIGINT, 130, "Error: interrupted; the same command goes on where it was\n"),
        pytest.param(
            *(signal.SIGTERM, 143),
            "Error: ended by SIGTERM; the same command goes on where it was\n",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_ctrl_c_and_sigterm_in_the_middle_of_a_training(
    tmp_path: Path, sent: signal.Signals, code: int, line: str
) -> None:
    command = ["-m", "robustbench_cli", "train", *OPTIONS, "--epochs", "5000"]
    with in_a_process(*command, cwd=tmp_path) as process:
        deadline = time.monotonic() + 100
        while not list(tmp_path.glob("runs/*/history.csv")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(sent)
        out, err = process.communicate(timeout=100)
    assert process.returncode == code and out == ""
    assert err == line
    assert not list(tmp_path.rglob(".*")), "nothing half written stays, and no lock"


def test_sigterm_is_answered_only_while_a_command_runs(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def end(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("robustbench_cli.training.train.Trainer._epoch", end)
    found = cli("train", *OPTIONS)
    assert found.code == 143 and "ended by SIGTERM" in found.line
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_console_script_is_the_same() -> None:
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="robustmix")
    assert script.value == "robustbench_cli.__main__:main"
    assert callable(main) and app is not None
