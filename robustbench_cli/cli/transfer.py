"""``robustmix transfer``."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from robustbench_cli.errors import UsageError

from . import show
from .groups import Output, Places, Voice, Work
from .targets import Foreign, Strength, open_targets
from .train import leave, run_grid


def transfer(
    *,
    source: Annotated[
        list[str], Option(metavar="RUN|CHECKPOINT|A+B", help="Where adversarials are made; repeat.")
    ],
    target: Annotated[
        list[str], Option(metavar="RUN|CHECKPOINT|A+B", help="Who is shown them; repeat.")
    ],
    by: Annotated[str, Option(help="What a row stands for: method, model, run...")] = "method",
    strength: Strength,
    foreign: Foreign,
    output: Output,
    places: Places,
    work: Work,
    voice: Voice,
) -> None:
    """Try whether adversarials made on one network fool another.

    Each source's images are made once and shown to all targets. All images are scored; the white
    box (source = target) is marked. What transfers says nothing about a network's robustness
    against an attack of its own.

    \b
      robustmix transfer --source runs/*plain* --target 'runs/*' -a linf-pgd -e 0.1
      robustmix transfer --source runs/a+runs/b --target runs/c    (crafted on both as one network)
      robustmix transfer --source runs/a --target runs/a --target runs/b --json
    """
    from robustbench_cli.jobs import TransferJob
    from robustbench_cli.reporting.report import transfer_table

    show.form_of(output)
    if strength.unions:
        raise UsageError("a union over norms is for attack; transfer in one norm at a time")
    sources = open_targets(source, foreign, places.where, strength.configs)
    targets = open_targets(target, foreign, places.where, strength.configs)
    for run in (*sources, *targets):
        if run.config["data"] != sources[0].config["data"]:
            raise UsageError(
                f"{run.name} is for {run.config['data']} and {sources[0].name} for "
                f"{sources[0].config['data']}; transfer needs networks for the same data"
            )
    configs = strength.configs(sources[0].config["data"])
    jobs = [
        TransferJob(run.path, tuple(t.path for t in targets), config, places.where, work.force)
        for run in sources
        for config in configs
    ]
    jobs = work.share(jobs)
    if work.dry_run:
        show.emit(show.list_jobs(jobs))
        return
    finished = run_grid(jobs, work.workers, "transfers", voice)
    if any(f.path for f in finished):
        table = transfer_table(
            sources,
            by=by,
            attack=[config.attack for config in configs],
            epsilons=sorted({eps for config in configs for eps in config.epsilons}),
            targets=targets,
        )
        show.emit_table(table, output)
    leave(finished)
