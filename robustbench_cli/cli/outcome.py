"""What an experiment came to: its report, page, tables, and where they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import show
from .groups import Output

if TYPE_CHECKING:
    from robustbench_cli.experiment.plan import Experiment, ReportConfig
    from robustbench_cli.reporting.contests import Contest
    from robustbench_cli.reporting.formats.table import Table
    from robustbench_cli.runs.run import Run


def report(
    experiment: Experiment,
    runs: Sequence[Run],
    output: Output,
    tried: Sequence[Contest] | None,
    command: str,
) -> None:
    from robustbench_cli.reporting.report import table
    from robustbench_cli.reporting.writing import write_report

    plan, statements = experiment.report, experiment.statements
    attack, epsilons = plan.attack or None, plan.epsilons or None
    written: Sequence[Path] = ()
    if plan.folder is None:
        made = table(
            runs,
            by=plan.by,
            attack=attack,
            epsilons=epsilons,
            statements=statements,
            unions=experiment.unions,
        )
    else:
        made, written = write_report(
            runs,
            plan.folder,
            by=plan.by,
            attack=attack,
            epsilons=epsilons,
            highlight=plan.highlight,
            figures=plan.figures,
            statements=statements,
            unions=experiment.unions,
            tried=tried or (),
            command=command,
        )
    tell(plan, tried, output, made, written)


def page(
    experiment: Experiment,
    runs: Sequence[Run],
    page: Path,
    tried: Sequence[Contest] | None,
    command: str,
) -> None:
    """Everything in one file, beside what the experiment writes anyway."""
    from robustbench_cli.reporting.writing import write_page

    plan = experiment.report
    write_page(
        runs,
        page,
        by=plan.by,
        attack=plan.attack or None,
        epsilons=plan.epsilons or None,
        highlight=plan.highlight,
        figures=plan.figures,
        statements=experiment.statements,
        unions=experiment.unions,
        tried=tried or (),
        command=command,
    )
    show.say(f"wrote {page}")


def summarise(
    experiment: Experiment,
    runs: Sequence[Run],
    output: Output,
    tried: Sequence[Contest] | None,
) -> None:
    """The numbers of the analyses, of an experiment without attacks."""
    from robustbench_cli.reporting.report import summary
    from robustbench_cli.reporting.writing import write_summary

    plan, statements = experiment.report, experiment.statements
    written = list[Path]()
    if plan.folder is None:
        made = summary(runs, by=plan.by, statements=statements)
    else:
        made, written = write_summary(runs, plan.folder, by=plan.by, statements=statements)
    tell(plan, tried, output, made, written)


def transfers(
    experiment: Experiment,
    runs: Sequence[Run],
    output: Output,
    tried: Sequence[Contest] | None,
) -> None:
    """Who was fooled by whom, of an experiment that attacks in no other way."""
    from robustbench_cli.reporting.formats.table import SUFFIXES
    from robustbench_cli.reporting.report import transfer_table

    plan = experiment.report
    made = transfer_table(
        runs, by=plan.by, attack=plan.attack or None, epsilons=plan.epsilons or None
    )
    files = [plan.folder / f"transfers{suffix}" for suffix in SUFFIXES] if plan.folder else []
    for path in files:
        made.save(path)
    tell(plan, tried, output, made, files)


def judge(
    experiment: Experiment,
    runs: Sequence[Run],
    output: Output,
    tried: Sequence[Contest] | None,
) -> None:
    """What others say, of an experiment that only trains: what training costs."""
    from robustbench_cli.reporting import report as reporting

    plan = experiment.report
    made = reporting.judge(runs, experiment.statements, by=plan.by)
    tell(plan, tried, output, made)


def tell(
    plan: ReportConfig,
    tried: Sequence[Contest] | None,
    output: Output,
    made: Table | None = None,
    written: Sequence[Path] = (),
) -> None:
    """The table, with what was tried to find the champions that it is about, if it is."""
    from robustbench_cli.reporting.formats.table import SUFFIXES
    from robustbench_cli.reporting.tables.tried import tried_table, with_champions

    if tried:
        whole = tried_table(tried)
        made = with_champions(made, tried) if made else whole
        if plan.folder:
            files = [plan.folder / f"tried{suffix}" for suffix in SUFFIXES]
            for path in files:
                whole.save(path)
            written = [*written, *files]
    if made:
        show.emit_table(made, output)
    if written:
        show.say(f"wrote {', '.join(path.name for path in written)} in {plan.folder}")
