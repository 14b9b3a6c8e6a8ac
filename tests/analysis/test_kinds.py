"""Analyses of every kind of network: a bottleneck, somebody else's weights, a random defence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import TINY, train_job

from robustbench_cli import analyse
from robustbench_cli.adopt import adopt
from robustbench_cli.jobs import Where
from robustbench_cli.jobs.job import load_data
from robustbench_cli.runs.run import Run, load_runs

ASKED = (
    "embedding",
    "representation-spectrum",
    "decision-regions:points=5",
    "margin:pairs=20,level=0.5",
)


def bottleneck(runs: Path) -> Run:
    return Run.open(train_job(runs, method="vib:size=3").run())


def foreign(runs: Path) -> Run:
    shutil.copy(next(iter(load_runs(runs))).weights, "theirs.safetensors")
    data = load_data(TINY["data"], Where(runs))
    return adopt(Path("theirs.safetensors"), runs, data, model=TINY["model"])


def plain(runs: Path) -> Run:
    return next(iter(load_runs(runs)))


@pytest.mark.parametrize(
    ("make", "defence"),
    [(bottleneck, None), (foreign, None), (plain, "noisy-inference:draws=1,sigma=0.1")],
)
def test_every_network_can_be_looked_at(
    make: Callable[[Path], Run], defence: str | None, runs: Path
) -> None:
    run = make(runs)
    for spec in ASKED:
        found = analyse(run, spec, defence=defence)
        assert len(found.table) and any(number.value > 0 for number in found.numbers)
        if defence:  # what was drawn depends on the seed only
            again = analyse(run, spec, defence=defence, force=True)
            assert again.numbers == found.numbers
            assert not again.table.equals(analyse(run, spec).table)
