"""What a training begins with: the same on the command line, in a file and in a notebook."""

from __future__ import annotations

from pathlib import Path

from console import Cli
from tiny import TINY

from robustbench_cli import train
from robustbench_cli.experiment.read import read_experiment
from robustbench_cli.jobs import Where
from robustbench_cli.runs.run import Run

PLAIN = "spirals-samples=40-mlp-width=16-plain-epochs=2-s0"


def test_the_command_a_file_and_a_notebook_begin_alike(
    runs: Path, cli: Cli, tmp_path: Path
) -> None:
    settings = ["--data", TINY["data"], "-m", "pgd-at:steps=1", "--epochs", 2]
    found = cli("train", *settings, "--init", runs / PLAIN, "--freeze", "fc1")
    assert found.code == 0, found
    assert f"begins with {PLAIN}: matched" in found.err
    (tmp_path / "x.toml").write_text(
        '[train]\ndata = "spirals:samples=40"\nmethod = "pgd-at:steps=1"\nepochs = 2\n'
        f'init = "{PLAIN}"\nfreeze = "fc1"\n'
    )
    (job,) = read_experiment(tmp_path / "x.toml", Where(runs)).train
    run = train(
        data=TINY["data"],
        method="pgd-at:steps=1",
        epochs=2,
        init=Run.open(runs / PLAIN),
        freeze="fc1",
    )
    assert job.path == run.path == Path(found.out.strip())
    assert job.done()
