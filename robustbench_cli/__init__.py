"""robustmix: train robust image classifiers, attack them, and say what the numbers are worth.

from robustbench_cli import eps_range, evaluate, figure, load_runs, table, train

run = train(data="digits", method="pgd-at", seed=0)
result = evaluate(run, attack="linf-pgd:steps=40", epsilons="0:0.3:0.05")
result.accuracy()

The house, from the door down; a room knows only those below it (``tests/test_layers.py``):

cli          commands: text in, tables out; the only room that prints
experiment, api, adopt    a TOML file, a notebook, somebody else's weights: the other three doors
origins      where somebody else's weights come from, by name
referee      a whole protocol for one network: its cost, its jobs, its card
objects      what a notebook brings: networks, arrays and loaders become runs and data sets
grid         many jobs at once: processes, Ray, job arrays
jobs         plain data that can travel: train this, attack that; done() and run()
tracking     trackio, wandb...: told of epochs while a run trains, of results afterwards
analysis     what a network looks like inside
training     methods and the loop: a config becomes a run
evaluation   attacks and their schedules: a run's network becomes an evaluation
reporting    runs become tables, files and figures, without torch
trust        checks: can these numbers be believed? without torch
models, data networks and images: pixels are in [0, 1], and so is epsilon
runs         what lies on disk: the run directory, its evaluations and analyses, half-done parts
statistics   intervals, curves, paired comparisons
spec         ``name:key=value`` becomes an object; a folder's listing is a registry
device, epsilon, files, locks, progress, worker, errors    what everybody stands on

Data goes one way: spec -> config -> job -> run -> evaluation -> finding, table, figure.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import analyse, analyze, compose, evaluate, train, transfer
    from .epsilon import eps_range
    from .referee.card import card
    from .reporting.contests import select
    from .reporting.report import figure, judge, table
    from .runs.analysed import Analysed
    from .runs.evaluation import Evaluation
    from .runs.run import Run, load_runs
    from .spec import expand
    from .training.batch import Batch
    from .training.deploy import load_predictor
    from .training.method import Method

__version__ = "0.2.0"  # here and nowhere else; a release says in CHANGELOG.md what changed

_HOMES = {
    "Analysed": "runs.analysed",
    "Batch": "training.batch",
    "Evaluation": "runs.evaluation",
    "Method": "training.method",
    "Run": "runs.run",
    "analyse": "api",
    "analyze": "api",
    "card": "referee.card",
    "compose": "api",
    "eps_range": "epsilon",
    "evaluate": "api",
    "expand": "spec",
    "figure": "reporting.report",
    "judge": "reporting.report",
    "load_predictor": "training.deploy",
    "load_runs": "runs.run",
    "select": "reporting.contests",
    "table": "reporting.report",
    "train": "api",
    "transfer": "api",
}

__all__ = [
    "Analysed",
    "Batch",
    "Evaluation",
    "Method",
    "Run",
    "analyse",
    "analyze",
    "card",
    "compose",
    "eps_range",
    "evaluate",
    "expand",
    "figure",
    "judge",
    "load_predictor",
    "load_runs",
    "select",
    "table",
    "train",
    "transfer",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that the import itself is instant."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
