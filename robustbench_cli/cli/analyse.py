"""``robustmix analyse``, also spelled ``analyze``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, Option

from robustbench_cli.errors import UsageError
from robustbench_cli.spec import names

from . import show
from .completion import names_of
from .groups import Output, Places, Voice, Work
from .targets import Foreign, Guard, open_targets
from .train import leave, run_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from robustbench_cli.reporting.formats.table import Table
    from robustbench_cli.runs.run import Run

PICTURES = (".png", ".svg", ".pdf")


def analyse(
    *,
    target: Annotated[
        list[str], Argument(metavar="RUN|CHECKPOINT|A+B...", help="What to look at.")
    ],
    analysis: Annotated[
        list[str] | None,
        Option(
            "--analysis",
            "-n",
            metavar="SPEC",
            help="What to look for; repeat for several.",
            autocompletion=names_of("analyses"),
        ),
    ] = None,
    by: Annotated[str, Option(help="What a row stands for: method, model, data...")] = "method",
    view: Annotated[
        Literal["deployed", "bare"], Option(help="With test-time defences, or without.")
    ] = "deployed",
    analysis_seed: Annotated[int, Option(min=0, help="Of the analysis's random numbers.")] = 0,
    guard: Guard,
    foreign: Foreign,
    output: Output,
    places: Places,
    work: Work,
    voice: Voice,
) -> None:
    """Look at trained networks and print what sums it up, over seeds, with its interval.

    Each result is a table in the run's directory; what is there is not computed again, and a
    killed analysis goes on where it was. With -o picture.png it is drawn, too; with -o FOLDER/ come
    all tables and pictures, and single images.

    \b
      robustmix --list analyses
      robustmix analyse runs/* -n church-window -o windows.png
      robustmix analyse runs/* -n subspace-dimension:norm=l2 -n logit-line
      robustmix analyse resnet20.th --data cifar10 -n adversarials:eps=8/255 -o images/
      robustmix report runs/* --figure church-window:show=class,loss -o windows.svg
    """
    from robustbench_cli.jobs import AnalyseJob, make_question
    from robustbench_cli.reporting.formats.table import SUFFIXES
    from robustbench_cli.reporting.report import summary

    if not analysis:
        known = ", ".join(names("analyses"))
        raise UsageError(f"which analysis? type -n NAME, one of: {known}")
    path = output.output if output.output and str(output.output) != "-" else None
    picture = path if path and path.suffix.lower() in PICTURES else None
    folder = path if path and not picture and (path.is_dir() or not path.suffix) else None
    if path and not folder and path.suffix.lower() not in (*PICTURES, *SUFFIXES):
        known = ", ".join([*PICTURES, *SUFFIXES])
        raise UsageError(f"{path}: no format {path.suffix!r}; expected FOLDER/, or one of {known}")
    figure = _drawn(analysis, picture)
    if picture or folder:
        output = replace(output, output=None)
    show.form_of(output)
    runs = open_targets(target, foreign, places.where)
    jobs = [
        AnalyseJob(
            run.path,
            make_question(text, run.config["data"], seed=analysis_seed, view=view, defence=defence),
            places.where,
            work.force,
        )
        for run in runs
        for defence in guard.defences()
        for text in dict.fromkeys(analysis)
    ]
    jobs = work.share(jobs)
    if work.dry_run:
        show.emit(show.list_jobs(jobs))
        return
    finished = run_grid(jobs, work.workers, "analyses", voice)
    made = {f.job for f in finished if f.path}
    if made:
        asked = list(dict.fromkeys(job.question.analysis for job in jobs if job in made))
        if folder:
            show.emit_table(_write(folder, runs, by, asked), output)
        else:
            show.emit_table(summary(runs, by=by, analysis=asked), output)
        if picture:
            _draw(figure, picture, runs, by, asked)
    leave(finished)


def _drawn(analysis: Sequence[str], picture: Path | None) -> str:
    """The figure named after the analysis; asked before hours of work."""
    if picture is None:
        return ""
    named = list(dict.fromkeys(text.partition(":")[0] for text in analysis))
    if len(named) > 1:
        raise UsageError(f"{picture} is one picture and -n names {len(named)}; type -o FOLDER/")
    if named[0] not in names("figures"):
        raise UsageError(f"{named[0]} has no picture of its own; leave -o {picture} out")
    return named[0]


def _draw(name: str, picture: Path, runs: Sequence[Run], by: str, asked: list[str]) -> None:
    from robustbench_cli.reporting import report

    drawing = report.figure(name, runs, by=by, analysis=asked)
    report.save_figure(drawing, picture)
    show.say(f"wrote {picture}")


def _write(folder: Path, runs: Sequence[Run], by: str, asked: list[str]) -> Table:
    """Every form of the table, pictures, and what else the analyses hold; the table."""
    from robustbench_cli.reporting import writing

    table, written = writing.write_summary(runs, folder, by=by, analysis=asked)
    show.say(f"wrote {len(written)} files in {folder}")
    return table
