"""``robustmix sweep-epsilon``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from typer import Argument, Option

from . import show
from .groups import Output, Places, Voice, Work
from .targets import Foreign, Guard, Strength, open_targets
from .train import leave, run_grid


def sweep_epsilon(
    *,
    target: Annotated[list[str], Argument(metavar="RUN|CHECKPOINT|A+B...", help="What to attack.")],
    by: Annotated[str, Option(help="What a row stands for: method, model, data...")] = "method",
    strength: Strength,
    guard: Guard,
    foreign: Foreign,
    output: Output,
    places: Places,
    work: Work,
    voice: Voice,
) -> None:
    """Attack over a grid of epsilons and print how accuracy decays.

    Runs that differ in nothing but the seed share a row, with an interval over the seeds. Without
    --eps or --eps-range the grid is the one that is usual for the data set and the norm.

    \b
      robustmix sweep-epsilon runs/* -a linf-fgsm -a linf-pgd --eps-range 0:0.5:0.025
      robustmix sweep-epsilon runs/cifar10-* --eps-range 0:16/255:1/255 --json | jq .curves
    """
    from robustbench_cli.jobs import AttackJob
    from robustbench_cli.reporting.report import table

    show.form_of(output)
    asked = partial(strength.configs, sweep=True)
    runs = open_targets(target, foreign, places.where, asked)
    defences = guard.defences()
    jobs = [
        AttackJob(run.path, config, places.where, work.force)
        for run in runs
        for config in asked(run.config["data"], defences=defences)
    ]
    jobs = work.share(jobs)
    if work.dry_run:
        show.emit(show.list_jobs(jobs))
        return
    finished = run_grid(jobs, work.workers, "evaluations", voice)
    if any(f.path for f in finished):
        attacks = list(dict.fromkeys(job.config.attack for job in jobs))
        seen = [run.on(strength.split) for run in runs]
        show.emit_table(table(seen, by=by, attack=attacks), output)
    leave(finished)
