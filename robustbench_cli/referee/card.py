"""A card from beginning to end: open, plan, run, and write the page and card.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from robustbench_cli.adopt import GUESS
from robustbench_cli.errors import UsageError
from robustbench_cli.files import slug, write, write_json
from robustbench_cli.grid import Finished, run_jobs
from robustbench_cli.jobs import TransferJob, Where
from robustbench_cli.objects.kinds import DataLike, ModelLike, NetworkLike
from robustbench_cli.objects.networks import Foreign, open_network
from robustbench_cli.origins import any_untold
from robustbench_cli.reporting.card.document import Card
from robustbench_cli.reporting.card.parts import Part, Protocol
from robustbench_cli.reporting.card.shown import card_table
from robustbench_cli.reporting.formats.table import SUFFIXES, Table
from robustbench_cli.reporting.page import is_page
from robustbench_cli.reporting.page.card import card_page
from robustbench_cli.runs.run import Run

from .plan import Ask, Plan, Task
from .protocol import threats_for, worst_cases

Norms = str | Iterable[str] | Mapping[str, object]
_DOCUMENT = ".json"
_OTHERS = {*SUFFIXES, ".png", ".svg", ".pdf"} - {_DOCUMENT}


def card(
    run: NetworkLike,
    *,
    norms: Norms = (),
    source: NetworkLike | None = None,
    minutes: float | None = None,
    samples: int | None = None,
    seed: int = 0,
    output: str | Path | None = None,
    data: DataLike | None = None,
    model: ModelLike | None = None,
    normalise: str | None = None,
    weights_key: str | None = None,
    runs_dir: str | Path = "runs",
    data_dir: str | Path = "~/.cache/robustmix",
    device: str = "auto",
    force: bool = False,
) -> Table:
    """A referee's whole protocol for one network: what ``robustmix card`` does.

    Printed, the result is a table; its `document` is what card.json holds, which
    `reporting.card.schema.CARD` describes. `output`: a folder for card.html and card.json, or the
    name of one of the two; without it nothing is written but results in the run.

    Args:
        run, data, model, normalise, weights_key: as for :func:`~robustbench_cli.evaluate`.
        norms: ``"linf"``, ``["linf", "l2=0.5"]`` or ``{"linf": "8/255"}``; without an epsilon, that
            at which papers compare networks on the data set.
        source: the network whose adversarials are shown to this one.
        minutes: as many images and as strong attacks as these allow; without, all.

    Raises:
        UsageError: no epsilon is usual for the data set, or too few minutes for anything.
        RunError: as `evaluate`; or not one attack could be done.
    """
    asked = _spelled(norms)
    where = Where(Path(runs_dir), Path(data_dir), device)
    foreign = Foreign(data=data, model=model, normalise=normalise, weights_key=weights_key)
    judged = partial(worst_cases, asked, samples=samples)
    opened = open_network(run, foreign, where, "card", judged)
    lent = None if source is None else _lent(source, opened, data, where)
    plan = Plan.make(
        Ask(
            opened.path,
            threats_for(asked, opened.config["data"]),
            replace(where, runs=opened.path.parent),
            None if lent is None else lent.path,
            samples,
            minutes,
            seed,
            force,
        )
    )
    made = finish(plan, run_jobs([plan.job(task) for task in plan.tasks]))
    if output is not None:
        save(made, Files.named(Path(output), opened.name))
    return card_table(made)


@dataclass(frozen=True)
class Files:
    """Where a card is written: the page and the document beside it."""

    page: Path
    document: Path

    @classmethod
    def named(cls, path: Path | None, name: str) -> Files:
        """``FOLDER`` holds card.html and card.json; ``X.html`` or ``X.json`` names both.

        Raises:
            UsageError: the name of another kind of file.
        """
        place = Path("cards") / slug(name) if path is None else path
        if is_page(place):
            return cls(place, place.with_suffix(_DOCUMENT))
        if place.suffix == _DOCUMENT:
            return cls(place.with_suffix(".html"), place)
        if str(place) == "-" or (place.suffix in _OTHERS and not place.is_dir()):
            raise UsageError(f"{path}: a card is FOLDER/, or FILE.html with FILE.json beside it")
        return cls(place / "card.html", place / "card.json")


def finish(plan: Plan, finished: Sequence[Finished], command: str = "") -> Card:
    """What the jobs of ``plan.tasks`` came to, in their order; `command`: what was typed."""
    done = zip(plan.tasks, finished, strict=True)
    run = Run.open(plan.ask.run)
    return Card(run, _protocol(plan, command), [_part(*each) for each in done])


def save(card: Card, files: Files) -> None:
    """Both whole, or not there."""
    write_json(files.document, card.document)
    write(files.page, card_page(card))


def _spelled(norms: Norms) -> list[str]:
    if isinstance(norms, str):
        return [part.strip() for part in norms.split(",")]
    if isinstance(norms, Mapping):
        return [f"{norm}={eps}" for norm, eps in norms.items()]
    return [str(each) for each in norms]


def _lent(source: NetworkLike, run: Run, data: DataLike | None, where: Where) -> Run:
    """Of a file, as likely normalised: whatever it makes is shown to the other network."""
    if isinstance(source, (str, Path)) and any_untold([str(source)]):
        foreign = Foreign(data=run.config["data"], normalise=GUESS)
    elif isinstance(source, (str, Path, Run)):
        foreign = Foreign()
    else:
        foreign = Foreign(data=data if data is not None else run.config["data"])
    return open_network(source, foreign, where, "card")


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
