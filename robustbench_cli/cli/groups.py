"""Options that several subcommands share, declared once as dataclasses; see `spread.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from robustbench_cli.errors import UsageError

from .completion import names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from robustbench_cli.grid import Workers
    from robustbench_cli.jobs import Where
    from robustbench_cli.jobs.share import AnyJob

Format = Literal["table", "markdown", "csv", "json", "latex"]


@dataclass(frozen=True)
class Places:
    """Folders and device."""

    runs_dir: Annotated[
        Path, Option(help="Where run directories lie.", envvar="ROBUSTMIX_RUNS", show_default=True)
    ] = Path("runs")
    data_dir: Annotated[
        Path, Option(help="Where data sets lie, in torchvision's layout.", envvar="ROBUSTMIX_DATA")
    ] = Path("~/.cache/robustmix")
    device: Annotated[str, Option(help="auto (cuda, mps, cpu), or one of them.")] = "auto"

    @property
    def where(self) -> Where:
        from robustbench_cli.jobs import Where

        return Where(self.runs_dir, self.data_dir, self.device)


@dataclass(frozen=True)
class Work:
    """How many jobs at once, and what to do about finished ones."""

    jobs: Annotated[
        int | None,
        Option(
            "--jobs",
            "-j",
            min=1,
            help="Jobs side by side at most, each in its own process; on a GPU as many of them as "
            "its memory holds. [1; run: one per core, up to 8]",
        ),
    ] = None
    gpus_per_job: Annotated[
        float, Option(min=0, help="GPUs that a job sees; a share below 1 puts several on one.")
    ] = 1.0
    ray: Annotated[
        str | None, Option(metavar="ADDRESS", help="Run the jobs on a Ray cluster (auto, local).")
    ] = None
    submitit: Annotated[
        str | None,
        Option(
            metavar="KEY=VALUE,...",
            help="Run the jobs as a Slurm job array, by submitit: partition, timeout-min, gpus, "
            "cpus, mem (GB), array-parallelism, account, qos, constraint, name, folder (of logs); "
            "cluster=local tries it here.",
        ),
    ] = None
    part: Annotated[
        str | None,
        Option(metavar="K/N", help="Only this share of the jobs, from 1/N to N/N: for job arrays."),
    ] = None
    dry_run: Annotated[bool, Option("--dry-run", help="List the jobs and stop.")] = False
    force: Annotated[bool, Option("--force", help="Redo what is finished.")] = False

    def share(self, jobs: Sequence[AnyJob]) -> list[AnyJob]:
        """The jobs that are this process's; all of them without --part.

        Raises:
            UsageError: a part that is none.
        """
        from robustbench_cli.jobs.share import Share

        return Share.parse(self.part).choose(jobs) if self.part is not None else list(jobs)

    @property
    def workers(self) -> Workers:
        from robustbench_cli.grid import Workers
        from robustbench_cli.grid.job_array import JobArray

        if self.ray and self.submitit:
            raise UsageError("--ray and --submitit are two clusters; choose one")
        array = JobArray.parse(self.submitit) if self.submitit else None
        return Workers(self.jobs or 1, self.gpus_per_job, self.ray, array)


@dataclass(frozen=True)
class Following:
    """Who is told how it goes."""

    track: Annotated[
        list[str] | None,
        Option(
            "--track",
            metavar="TRACKER",
            help="Tell trackio, wandb, tensorboard or mlflow; repeat.",
            autocompletion=names_of("trackers"),
        ),
    ] = None

    @property
    def trackers(self) -> tuple[str, ...]:
        """Those that are installed; of others a warning says what to type.

        Raises:
            UsageError: no such tracker, or parameter of one.
        """
        if not self.track:
            return ()
        from robustbench_cli.spec import build
        from robustbench_cli.tracking.tracker import Tracker

        from . import show

        chosen = {str(tracker): tracker for tracker in (build(Tracker, s) for s in self.track)}
        missing = {spec: tracker.missing() for spec, tracker in chosen.items()}
        for reason in filter(None, missing.values()):
            show.say(f"warning: --track: {reason}")
        return tuple(spec for spec, reason in missing.items() if reason is None)


@dataclass(frozen=True)
class Voice:
    """What is said on stderr."""

    quiet: Annotated[bool, Option("--quiet", "-q", help="Errors only.")] = False
    verbose: Annotated[bool, Option("--verbose", "-v", help="Say more.")] = False
    debug: Annotated[bool, Option("--debug", help="Show tracebacks.")] = False
    allow_code: Annotated[
        list[str] | None,
        Option(metavar="MODULE", help="Let run directories and experiments name its classes."),
    ] = None


@dataclass(frozen=True)
class Output:
    """The form of the result and where it goes."""

    format: Annotated[
        Format | None, Option("--format", "-f", help="Form of the result; a table by default.")
    ] = None
    json: Annotated[bool, Option("--json", help="Short for -f json.")] = False
    output: Annotated[
        Path | None,
        Option("--output", "-o", help="Write there, in the form its suffix names; - is stdout."),
    ] = None
