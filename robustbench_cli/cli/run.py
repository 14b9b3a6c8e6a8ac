"""``robustmix run``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit

from robustbench_cli.errors import UsageError

from . import show
from .groups import Output, Places, Voice, Work
from .train import run_grid

if TYPE_CHECKING:
    from robustbench_cli.experiment.plan import ReportConfig
    from robustbench_cli.jobs import Job
    from robustbench_cli.reporting.statements import Statements


def run(
    *,
    file: Annotated[Path, Argument(metavar="FILE.toml", help="The experiment.")],
    output: Output,
    places: Places,
    work: Work,
    voice: Voice,
) -> None:
    """A whole experiment from one file: train a grid, attack it, transfer, analyse, report.

    Published numbers in the file stand beside ours, and claims get a verdict.

    The jobs are those of the other subcommands. What is finished is not done again, so a killed
    experiment goes on where it was, and a longer file does only what is new.

    \b
      robustmix run examples/quickstart.toml --dry-run        list the jobs
      robustmix run examples/quickstart.toml -j 2 -o report.html
      robustmix run big.toml --part $SLURM_ARRAY_TASK_ID/8     one of eight, then once without
    """
    from robustbench_cli.experiment.read import read_experiment
    from robustbench_cli.grid import side_by_side
    from robustbench_cli.reporting.page import is_page

    page = output.output if is_page(output.output) else None
    if page:
        output = replace(output, output=None)
    show.form_of(output)
    experiment = read_experiment(file, places.where, force=work.force)
    if page and not (experiment.attack or experiment.analyse):
        raise UsageError(f"{file} attacks and analyses nothing, so {page} would be empty")
    phases: dict[str, Sequence[Job]] = {
        "runs": work.share(experiment.train),
        "evaluations": work.share(experiment.attack),
        "transfers": work.share(experiment.transfer),
        "analyses": work.share(experiment.analyse),
    }
    if work.dry_run:
        show.emit("\n".join(show.list_jobs(jobs) for jobs in phases.values() if jobs))
        return
    workers = work.workers if work.jobs else replace(work.workers, count=side_by_side())
    failed, untrained = 0, set[Path]()
    for noun, jobs in phases.items():
        possible = [job for job in jobs if untrained.isdisjoint(job.needs)]
        if work.part and noun != "runs":  # others may not have trained theirs
            possible = _without_waiting(possible, noun)
        for finished in run_grid(possible, workers, noun, voice) if possible else []:
            failed += finished.error is not None
            if finished.error and noun == "runs":
                untrained.add(finished.job.path)
    usable = [path for path in experiment.run_paths if path not in untrained]
    typed = shlex.join(["robustmix", "run", str(file)])
    if page and usable and not work.part:
        command = f"{typed} -o {shlex.quote(str(page))}"
        _page(experiment.report, experiment.statements, usable, page, command)
    if work.part:
        show.say(f"part {work.part} is done; when all are: robustmix run {file}")
    elif usable and experiment.attack:
        _report(experiment.report, experiment.statements, usable, output, typed)
    elif usable and experiment.analyse:
        _summarise(experiment.report, experiment.statements, usable, output)
    elif usable and experiment.statements:
        _judge(experiment.report, experiment.statements, usable, output)
    elif usable:
        show.emit("\n".join(map(str, usable)), output.output)
    if failed:
        raise Exit(3)


def _without_waiting(jobs: Sequence[Job], noun: str) -> list[Job]:
    """The jobs whose runs are all there; says how many are left for another time."""
    from robustbench_cli.jobs.share import unfinished

    ready = [job for job in jobs if not unfinished(job.needs)]
    if len(ready) < len(jobs):
        show.say(
            f"{len(jobs) - len(ready)} {noun} wait for runs of other parts; "
            "the same command without --part does them"
        )
    return ready


def _report(
    plan: ReportConfig,
    statements: Statements,
    paths: Sequence[Path],
    output: Output,
    command: str,
) -> None:
    from robustbench_cli.reporting.report import table, write_report
    from robustbench_cli.runs.run import load_runs

    runs, attack, epsilons = load_runs(paths), plan.attack or None, plan.epsilons or None
    if plan.folder is None:
        made = table(runs, by=plan.by, attack=attack, epsilons=epsilons, statements=statements)
        show.emit_table(made, output)
        return
    made, written = write_report(
        runs,
        plan.folder,
        by=plan.by,
        attack=attack,
        epsilons=epsilons,
        highlight=plan.highlight,
        figures=plan.figures,
        statements=statements,
        command=command,
    )
    show.emit_table(made, output)
    show.say(f"wrote {', '.join(path.name for path in written)} in {plan.folder}")


def _page(
    plan: ReportConfig,
    statements: Statements,
    paths: Sequence[Path],
    page: Path,
    command: str,
) -> None:
    """Everything in one file, beside what the experiment writes anyway."""
    from robustbench_cli.reporting.report import write_page
    from robustbench_cli.runs.run import load_runs

    write_page(
        load_runs(paths),
        page,
        by=plan.by,
        attack=plan.attack or None,
        epsilons=plan.epsilons or None,
        highlight=plan.highlight,
        figures=plan.figures,
        statements=statements,
        command=command,
    )
    show.say(f"wrote {page}")


def _summarise(
    plan: ReportConfig, statements: Statements, paths: Sequence[Path], output: Output
) -> None:
    """The numbers of the analyses, of an experiment without attacks."""
    from robustbench_cli.reporting.report import summary, write_summary
    from robustbench_cli.runs.run import load_runs

    runs = load_runs(paths)
    if plan.folder is None:
        show.emit_table(summary(runs, by=plan.by, statements=statements), output)
        return
    made, written = write_summary(runs, plan.folder, by=plan.by, statements=statements)
    show.emit_table(made, output)
    show.say(f"wrote {', '.join(path.name for path in written)} in {plan.folder}")


def _judge(
    plan: ReportConfig, statements: Statements, paths: Sequence[Path], output: Output
) -> None:
    """What others say, of an experiment that only trains: what training costs."""
    from robustbench_cli.reporting.report import judge
    from robustbench_cli.runs.run import load_runs

    show.emit_table(judge(load_runs(paths), statements, by=plan.by), output)
