"""Run a plan, and write what came of it: the page and card.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robustbench_cli.errors import UsageError
from robustbench_cli.files import slug, write, write_json
from robustbench_cli.grid import Finished, run_jobs
from robustbench_cli.jobs import TransferJob
from robustbench_cli.reporting.card.document import Card
from robustbench_cli.reporting.card.parts import Part, Protocol
from robustbench_cli.reporting.page.card import card_page
from robustbench_cli.runs.run import Run

from .plan import Plan, Task


@dataclass(frozen=True)
class Files:
    """Where a card is written: the page and the document beside it."""

    page: Path
    document: Path

    @classmethod
    def named(cls, path: Path | None, name: str) -> Files:
        """``FOLDER`` holds card.html and card.json; ``X.html`` or ``X.json`` name both.

        Raises:
            UsageError: another suffix, which is no folder.
        """
        place = Path("cards") / slug(name) if path is None else path
        if place.suffix.lower() in (".html", ".json"):
            return cls(place.with_suffix(".html"), place.with_suffix(".json"))
        if place.suffix and not place.is_dir() and len(place.suffix) < 6 and path is not None:
            raise UsageError(f"{path}: a card is FOLDER/, or FILE.html with FILE.json beside it")
        return cls(place / "card.html", place / "card.json")


def finish(plan: Plan, finished: Sequence[Finished], command: str = "") -> Card:
    """What the jobs of ``plan.tasks`` came to, in their order."""
    done = zip(plan.tasks, finished, strict=True)
    run = Run.open(plan.ask.run)
    return Card(run, _protocol(plan, command), [_part(*each) for each in done])


def save(card: Card, files: Files) -> None:
    """Both whole, or not there."""
    write_json(files.document, card.document)
    write(files.page, card_page(card))


def run_plan(plan: Plan) -> list[Finished]:
    """One job after the other, without a word."""
    return run_jobs([plan.job(task) for task in plan.tasks])


def _part(task: Task, finished: Finished) -> Part:
    record = finished.path
    if record is not None and isinstance(finished.job, TransferJob):
        (record,) = finished.job.records
    error = "" if finished.error is None else " ".join(str(finished.error).split())
    return Part(task.role, task.threat, task.spec, record, error, task.seconds)


def _protocol(plan: Plan, command: str) -> Protocol:
    ask = plan.ask
    left_out = [] if ask.source else ["transfer: no other network was given (--source RUN)"]
    if not plan.corrupted:
        left_out.append("corruptions: the images are no pictures")
    return Protocol(
        strength=plan.level.name,
        checks=plan.level.checks,
        seed=ask.seed,
        n=plan.n,
        of=plan.of,
        minutes=ask.minutes,
        threats=ask.threats,
        source=None if ask.source is None else Run.open(ask.source),
        expected=plan.seconds,
        whole=plan.whole.seconds,
        weaker=plan.level.weaker(),
        left_out=left_out,
        command=command,
    )
