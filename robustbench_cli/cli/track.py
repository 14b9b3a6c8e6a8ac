"""``robustmix track``."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Exit, Option

from . import show
from .completion import names_of
from .groups import Voice


def track(
    *,
    runs: Annotated[
        list[str] | None, Argument(metavar="[RUN...]", help="Run directories; runs/ by default.")
    ] = None,
    to: Annotated[
        list[str],
        Option(
            metavar="TRACKER",
            help="trackio, wandb, tensorboard or mlflow; repeat.",
            autocompletion=names_of("trackers"),
        ),
    ],
    voice: Voice,
) -> None:
    """Tell trackers of runs that are there: epochs, tables of results, pictures.

    What a tracker was told before, here or by --track, is not told again: trackers.json in the run
    directory remembers. Prints what was new to whom.

    \b
      robustmix track runs/* --to tensorboard && tensorboard --logdir runs
      robustmix track --to wandb:my-project --to mlflow
      WANDB_MODE=online robustmix track runs/* --to wandb      offline otherwise
    """
    from robustbench_cli.errors import RobustmixError, UsageError
    from robustbench_cli.runs.run import load_runs
    from robustbench_cli.spec import build
    from robustbench_cli.tracking.publish import publish
    from robustbench_cli.tracking.tracker import Tracker

    trackers = [build(Tracker, spec) for spec in dict.fromkeys(to)]
    found = load_runs(runs or ["runs"])
    for tracker in trackers:
        if missing := tracker.missing():
            raise UsageError(f"--to {missing}")
    lines, failed = [], 0
    for run in found:
        for spec in map(str, trackers):
            try:
                told = publish(run.path, spec)
            except RobustmixError as e:
                show.complain(f"{run.path} to {spec}: {e}")
                failed += 1
            else:
                lines.append(f"{run.path}  {spec}  {', '.join(told) or 'nothing new'}")
    if lines:
        show.emit("\n".join(lines))
    if failed:
        raise Exit(3 if len(found) * len(trackers) > 1 else 1)
