"""``robustmix run``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from robustbench_cli.errors import UsageError

from . import outcome, show
from .groups import Following, Output, Places, Voice, Work
from .train import run_grid

if TYPE_CHECKING:
    from robustbench_cli.experiment.plan import Experiment
    from robustbench_cli.grid import Workers
    from robustbench_cli.jobs import Job
    from robustbench_cli.runs.run import Run


def run(
    *,
    file: Annotated[Path, Argument(metavar="FILE.toml", help="The experiment.")],
    scale: Annotated[
        str | None,
        Option(metavar="NAME", help="Smaller or larger, as its [scale.NAME] sections say."),
    ] = None,
    output: Output,
    places: Places,
    work: Work,
    following: Following,
    voice: Voice,
) -> None:
    """A whole experiment from one file: train a grid, attack it, transfer, analyse, report.

    Published numbers in the file stand beside ours, and claims get a verdict. With [select] the
    best setting of each method, by images held out of the training, is trained again with fresh
    seeds, and the other sections are about these champions; what was tried is in the report.

    The jobs are those of the other subcommands. What is finished is not done again, so a killed
    experiment goes on where it was, and a longer file does only what is new. The report has what
    the file asks for; for all that its runs hold: robustmix report runs/

    \b
      robustmix run examples/quickstart.toml --dry-run        list the jobs
      robustmix run examples/quickstart.toml -j 2 -o report.html
      robustmix run examples/selection.toml                   champions, without cheating
      robustmix run big.toml --part $SLURM_ARRAY_TASK_ID/8     one of eight, then once without
      robustmix run examples/thesis/spirals.toml --scale laptop
    """
    from robustbench_cli.experiment.read import read_experiment
    from robustbench_cli.grid import side_by_side
    from robustbench_cli.reporting.page import is_page

    page = output.output if is_page(output.output) else None
    if page:
        output = replace(output, output=None)
    show.form_of(output)
    trackers = following.trackers
    experiment = read_experiment(file, places.where, scale=scale, force=work.force)
    if page and not (experiment.attack or experiment.analyse):
        raise UsageError(f"{file} attacks and analyses nothing, so {page} would be empty")
    if work.dry_run:
        show.emit("\n".join(_listed(experiment, work)))
        return
    workers = work.workers if work.jobs else replace(work.workers, count=side_by_side())
    done = _do(experiment, work, workers, voice, trackers)
    tried, failed = None, done.failed
    if (selecting := experiment.select) and not work.part:  # which knows no other part's results
        experiment = selecting.after()
        done = _do(experiment, work, workers, voice, trackers)
        tried, failed = selecting.contests(), failed + done.failed
    usable = [] if work.part else done.runs(experiment)  # other parts are not trained yet
    typed = ["robustmix", "run", str(file), *(["--scale", scale] if scale else [])]
    if page and usable:
        outcome.page(experiment, usable, page, tried, shlex.join([*typed, "-o", str(page)]))
    if work.part:
        again = f"{file} --scale {scale}" if scale else file
        show.say(f"part {work.part} is done; when all are: robustmix run {again}")
    elif usable and experiment.attack:
        outcome.report(experiment, usable, output, tried, shlex.join(typed))
    elif usable and experiment.analyse:
        outcome.summarise(experiment, usable, output, tried)
    elif usable and experiment.transfer:
        outcome.transfers(experiment, usable, output, tried)
    elif usable and experiment.statements:
        outcome.judge(experiment, usable, output, tried)
    elif tried:
        outcome.tell(experiment.report, tried, output)
    elif usable:
        show.emit("\n".join(str(run.path) for run in usable), output.output)
    if failed:
        raise Exit(3)


@dataclass(frozen=True)
class _Done:
    """How many jobs failed, which runs could not be trained, and what tells of the results."""

    failed: int
    untrained: set[Path]
    records: list[Path]

    def runs(self, experiment: Experiment) -> list[Run]:
        """With what the experiment found: other commands may have left more in them."""
        from robustbench_cli.runs.run import Run

        paths = [path for path in experiment.run_paths if path not in self.untrained]
        records = frozenset(path.resolve() for path in self.records)
        return [Run.open(path).with_only(records) for path in paths]


def _phases(
    experiment: Experiment, work: Work, trackers: tuple[str, ...] = ()
) -> dict[str, Sequence[Job]]:
    phases: dict[str, Sequence[Job]] = {
        "runs": work.share([replace(job, track=trackers) for job in experiment.train]),
        "evaluations": work.share(experiment.attack),
        "transfers": work.share(experiment.transfer),
        "analyses": work.share(experiment.analyse),
    }
    return {noun: jobs for noun, jobs in phases.items() if jobs}


def _do(
    experiment: Experiment,
    work: Work,
    workers: Workers,
    voice: Voice,
    trackers: tuple[str, ...],
) -> _Done:
    from robustbench_cli.tracking.publish import publish_all

    failed, untrained, records = 0, set[Path](), list[Path]()
    for noun, jobs in _phases(experiment, work, trackers).items():
        possible = [job for job in jobs if untrained.isdisjoint(job.needs)]
        if work.part and noun != "runs":  # others may not have trained theirs
            possible = _without_waiting(possible, noun)
        for finished in run_grid(possible, workers, noun, voice) if possible else []:
            failed += finished.error is not None
            if finished.error and noun == "runs":
                untrained.add(finished.job.path)
            elif not finished.error:
                records += finished.job.records
    trained = [path for path in experiment.run_paths if (path / "model.safetensors").is_file()]
    publish_all(trained, trackers)
    return _Done(failed, untrained, records)


def _listed(experiment: Experiment, work: Work) -> Iterator[str]:
    """The jobs; of those that the choice of champions decides their number until it is made."""
    phases = _phases(experiment, work)
    yield from map(show.list_jobs, phases.values())
    if not experiment.select:
        return
    known: list[Job] = [*experiment.train, *experiment.attack]
    if all(job.done() for job in known):
        yield from map(show.list_jobs, _phases(experiment.select.after(), work).values())
        return
    first, _ = experiment.select.stand_ins()
    counts = ", ".join(f"{len(jobs)} {noun}" for noun, jobs in _phases(first, work).items())
    seeds = " ".join(map(str, experiment.select.seeds))
    yield f"later  {counts}: of the champions, which follow from the above; seeds {seeds}"


def _without_waiting(jobs: Sequence[Job], noun: str) -> list[Job]:
    """The jobs whose runs are all there; says how many are left for another time."""
    from robustbench_cli.jobs.inputs import unfinished

    ready = [job for job in jobs if not unfinished(job.needs)]
    if len(ready) < len(jobs):
        show.say(
            f"{len(jobs) - len(ready)} {noun} wait for runs of other parts; "
            "the same command without --part does them"
        )
    return ready
