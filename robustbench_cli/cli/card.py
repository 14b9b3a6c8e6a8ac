"""``robustmix card``."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from robustbench_cli.errors import UsageError

from . import show
from .bars import duration
from .groups import Output, Places, Voice, Work
from .targets import Foreign, open_targets
from .train import leave, run_grid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from robustbench_cli.jobs import Where
    from robustbench_cli.jobs.attack_config import AttackConfig
    from robustbench_cli.referee.plan import Plan
    from robustbench_cli.runs.run import Run


def card(
    *,
    target: Annotated[str, Argument(metavar="RUN|CHECKPOINT", help="The network.")],
    norm: Annotated[
        list[str] | None,
        Option(
            metavar="NORM[=EPS]",
            help="linf, l2, l1 or l0; without EPS, where papers compare. Repeat. [linf and l2]",
        ),
    ] = None,
    source: Annotated[
        str | None,
        Option(
            metavar="RUN|CHECKPOINT",
            help="A network of standard training: do its adversarials fool this one?",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        Option(help="Take as many images and as strong attacks as this allows. [all of it]"),
    ] = None,
    samples: Annotated[
        int | None, Option(min=1, help="The first N images. [all, or by --minutes]")
    ] = None,
    attack_seed: Annotated[int, Option(min=0, help="Of all random numbers.")] = 0,
    foreign: Foreign,
    output: Output,
    places: Places,
    work: Work,
    voice: Voice,
) -> None:
    """A referee's whole protocol for one network: clean accuracy, noise, one step, PGD, transfer,
    corruptions and the worst case in each norm, with all checks; on a page, and as card.json.

    Epsilons are those at which papers compare networks on the data set; which and whose they are is
    said. What it will cost is said first, after a look at a few images. With --minutes, samples and
    strength are chosen by that; the page says how certain the numbers are, and what is weaker than
    in the full protocol. A killed card goes on by the same command, and a finished one only writes
    its files. They go to cards/NAME/, or where -o says: FOLDER/, or FILE.html with FILE.json. What
    card.json holds: robustmix --explain card.

    \b
      robustmix card runs/digits-lenet5-pgd-at-s0 --minutes 5
      robustmix card resnet20.th --data cifar10 --dry-run         what would be done, and its cost
      robustmix card net.pth --data folder:PATH --norm linf=4/255
      robustmix card robustbench:Wang2023Better_WRN-28-10 --source runs/plain -o card.html
      robustmix card runs/a --minutes 30 --json | jq .robust
    """
    from robustbench_cli.referee.card import Files, finish, save
    from robustbench_cli.referee.plan import Ask, Plan
    from robustbench_cli.referee.protocol import threats_for, worst_cases
    from robustbench_cli.reporting.card.shown import card_table

    if work.part:
        raise UsageError("a card is of one network, which one machine examines; leave --part out")
    printed = replace(output, output=None)
    show.form_of(printed)
    Files.named(output.output, "")  # a slip is said before hours of work
    norms = norm or []
    run = _one(target, foreign, places.where, partial(worst_cases, norms, samples=samples))
    lent = None if source is None else _lent(source, run, places.where)
    ask = Ask(
        run.path,
        threats_for(norms, run.config["data"]),
        places.where,
        None if lent is None else lent.path,
        samples,
        minutes,
        attack_seed,
        work.force,
    )
    plan = Plan.make(ask)
    tasks = plan.tasks
    jobs = [plan.job(task) for task in tasks]
    left = sum(task.seconds for task, job in zip(tasks, jobs, strict=True) if not job.done())
    for line in _told(plan, run, left):
        show.say(line)
    if work.dry_run:
        listed = zip(show.list_jobs(jobs).splitlines(), tasks, strict=True)
        show.emit("\n".join(f"{line}, about {duration(task.seconds)}" for line, task in listed))
        return
    finished = run_grid(jobs, work.workers, "parts of the card", voice)
    options = {"norm": norm, "source": source, "minutes": minutes, "samples": samples}
    made = finish(plan, finished, _typed(target, foreign, {**options, "attack-seed": attack_seed}))
    files = Files.named(output.output, run.name)
    save(made, files)
    if show.form_of(printed) == "json":  # the same as in the file, which has no room for notes
        show.emit(json.dumps(made.document, indent=2, ensure_ascii=False))
    else:
        show.emit_table(card_table(made), printed)
    show.say(f"wrote {files.page} and {files.document}")
    leave(finished)


def _one(
    target: str,
    foreign: Foreign,
    where: Where,
    asked: Callable[[str], Sequence[AttackConfig]] = lambda _: (),
) -> Run:
    found = open_targets([target], foreign, where, asked)
    if len(found) > 1:
        names = ", ".join(run.name for run in found[:3])
        raise UsageError(f"a card is of one network, and {target} names {len(found)}: {names}, ...")
    return found[0]


def _lent(source: str, run: Run, where: Where) -> Run:
    """Of a file, as likely normalised: whatever it makes is shown to the other network."""
    from robustbench_cli.adopt import GUESS
    from robustbench_cli.origins import any_untold

    told = any_untold([source])
    return _one(source, Foreign(run.config["data"], None, GUESS) if told else Foreign(), where)


def _told(plan: Plan, run: Run, left: float) -> list[str]:
    """What will be done and what it costs, before it is done."""
    lines = [f"{threat.norm} at {threat.eps}: {threat.why}" for threat in plan.ask.threats]
    images = f"{plan.n:,} of {plan.of:,} images, {plan.level.name} strength"
    cost = f"about {duration(plan.seconds)} here"
    if left < plan.seconds:
        cost += f", {duration(left)} left"
    if plan.whole.seconds > 1.05 * plan.seconds:
        cost += f" (full strength on all images: {duration(plan.whole.seconds)})"
    return [*lines, f"{run.name}: {images}: {cost}"]


def _typed(target: str, foreign: Foreign, options: dict[str, object]) -> str:
    """The command line of this card, without what belongs to a machine."""
    words = ["robustmix", "card", target]
    given = {name.replace("_", "-"): value for name, value in asdict(foreign).items()}
    for name, value in {**given, **options}.items():
        for each in value if isinstance(value, list) else [value]:
            text = f"{each:g}" if isinstance(each, float) else str(each)
            words += [f"--{name}", text] if each else []
    return shlex.join(words)
