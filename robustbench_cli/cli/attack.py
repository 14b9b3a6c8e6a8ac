"""``robustmix attack``."""

from __future__ import annotations

from typing import Annotated

from typer import Argument

from . import show
from .groups import Following, Output, Places, Voice, Work
from .targets import Foreign, Guard, Strength, open_targets
from .train import leave, run_grid


def attack(
    *,
    target: Annotated[list[str], Argument(metavar="RUN|CHECKPOINT|A+B...", help="What to attack.")],
    strength: Strength,
    guard: Guard,
    foreign: Foreign,
    output: Output,
    places: Places,
    work: Work,
    following: Following,
    voice: Voice,
) -> None:
    """Attack networks and print their accuracy at each epsilon, with its interval.

    Every sample counts: one that is misclassified unchanged counts as broken. Every adversarial
    is checked again before it counts: finite, inside [0, 1], inside the ball, misclassified.

    \b
      robustmix attack runs/digits-lenet5-plain-s0
      robustmix attack runs/* -a linf-fgsm -a linf-pgd:steps=40,restarts=5 -e 0.05,0.1,0.2
      robustmix attack runs/* -a 'linf-pgd:steps={10,40}' --defence 'jpeg:quality={50,75}'
      robustmix attack runs/* --split validation          to choose settings by
      robustmix attack runs/* -a union -e linf=8/255,l2=0.5   worst over norms, in rows of its own
      robustmix attack resnet20.th --data cifar10 -a l2-boundary -e 0.5 --samples 500
      robustmix attack robustbench:Rice2020Overfitting    robustmix --list robustbench
      robustmix attack hf:OWNER/REPO --data npz:FILE.npz  of the Hugging Face hub, or its cache
      robustmix attack runs/a+runs/b                      the mean of their logits as one network
      robustmix attack runs/a --defence plain --defence jpeg --defence rotation
    """
    from robustbench_cli.jobs import AttackJob
    from robustbench_cli.reporting.tables.points import points_table
    from robustbench_cli.tracking.publish import publish_all

    trackers = following.trackers
    show.form_of(output)
    runs = open_targets(target, foreign, places.where, strength.configs)
    defences = guard.defences()
    jobs = [
        AttackJob(run.path, config, places.where, work.force)
        for run in runs
        for config in strength.configs(run.config["data"], defences=defences)
    ]
    jobs = work.share(jobs)
    if work.dry_run:
        show.emit(show.list_jobs(jobs))
        return
    finished = run_grid(jobs, work.workers, "evaluations", voice)
    if paths := [f.path for f in finished if f.path]:
        publish_all([f.job.home for f in finished if f.path], trackers)
        show.emit_table(points_table(paths, strength.unions), output)
    leave(finished)
