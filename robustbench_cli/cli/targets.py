"""What is attacked, how, and at which epsilons: shared by attack, sweep-epsilon and transfer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from robustbench_cli.errors import UsageError

from .completion import names_of

if TYPE_CHECKING:
    from robustbench_cli.jobs import Where
    from robustbench_cli.jobs.attack_config import AttackConfig
    from robustbench_cli.runs.norm_union import NormUnion
    from robustbench_cli.runs.run import Run


@dataclass(frozen=True)
class Foreign:
    """What somebody else's weights do not say of themselves."""

    data: Annotated[
        str | None,
        Option(
            metavar="SPEC",
            help="For a checkpoint file: its data set.",
            autocompletion=names_of("datasets"),
        ),
    ] = None
    model: Annotated[
        str | None,
        Option(
            metavar="SPEC",
            help="For a checkpoint file: its network, where several fit.",
            autocompletion=names_of("models"),
        ),
    ] = None
    normalise: Annotated[
        str | None,
        Option(
            metavar="NAME|MEAN:STD",
            help="For a checkpoint file: none, data, symmetric, imagenet, cifar, cifar-batchwise, "
            "or numbers, as 0.1307:0.3081, one for each channel with commas. Without it, found "
            "out where that is certain; guess: the likeliest in any case.",
        ),
    ] = None
    weights_key: Annotated[
        str | None,
        Option(metavar="KEY", help="For a checkpoint file with several sets of weights: ema."),
    ] = None


@dataclass(frozen=True)
class Strength:
    """Which attacks, at which epsilons, on how many images."""

    attack: Annotated[
        list[str] | None,
        Option(
            "--attack",
            "-a",
            metavar="SPEC",
            help="Repeat for several. union, with -e linf=8/255,l2=0.5: worst over norms. "
            "[linf-pgd]",
            autocompletion=names_of("attacks"),
        ),
    ] = None
    eps: Annotated[
        list[str] | None,
        Option("--eps", "-e", metavar="EPS[,EPS...]", help="In pixels of [0, 1], as 8/255 or 0.1."),
    ] = None
    eps_range: Annotated[
        list[str] | None,
        Option(metavar="START:STOP:STEP", help="Both ends included, exact."),
    ] = None
    samples: Annotated[int | None, Option(min=1, help="The first N images. [all]")] = None
    split: Annotated[
        Literal["test", "validation"],
        Option(help="Which images; validation: held out of the run's training, to choose by."),
    ] = "test"
    schedule: Annotated[
        Literal["auto", "ascending", "independent", "bisect"],
        Option(
            help="bisect: only the epsilons around the one where a sample breaks; ascending: "
            "what broke is not attacked again at a larger one; auto: bisect if an audit agrees."
        ),
    ] = "auto"
    view: Annotated[
        Literal["deployed", "bare"], Option(help="With test-time defences, or without.")
    ] = "deployed"
    attack_seed: Annotated[int, Option(min=0, help="Of the attack's random numbers.")] = 0
    batch_size: Annotated[int | None, Option(min=1, help="Images at once. [by image size]")] = None
    audit: Annotated[
        int | None,
        Option(min=0, help="Samples attacked at every epsilon whatever the schedule. [a few]"),
    ] = None
    compile: Annotated[
        bool, Option("--compile", help="Craft with a compiled copy; verdicts stay the network's.")
    ] = False
    precision: Annotated[
        Literal["float32", "bfloat16"], Option(help="To craft in; verdicts stay in float32.")
    ] = "float32"
    threads: Annotated[
        int | None, Option(min=1, help="On a CPU. [one or all, by a short measurement]")
    ] = None
    checks: Annotated[
        Literal["full", "quick", "off"],
        Option(help="How hard to look for signs of failure; quick: a tenth of the attack at most."),
    ] = "quick"
    eight_bit: Annotated[
        bool,
        Option("--eight-bit", help="Count an adversarial only if it survives rounding to 1/255."),
    ] = False

    @property
    def attacks(self) -> list[str]:
        return list(dict.fromkeys(self.attack or ["linf-pgd"]))

    @property
    def unions(self) -> tuple[NormUnion, ...]:
        """The union over norms that was asked for, if one was.

        Raises:
            UsageError: one without balls, or with two of one norm; balls without one.
        """
        from robustbench_cli.evaluation.attack import Attack
        from robustbench_cli.runs.norm_union import asked_for
        from robustbench_cli.spec import build

        found = asked_for(self.attacks, self.eps or ())
        for union in found:
            union.refuse_alike([build(Attack, ball.attack).norm for ball in union.balls])
        return found

    def configs(
        self, data: str, *, sweep: bool = False, defences: Sequence[str | None] = (None,)
    ) -> list[AttackConfig]:
        """One per defence and attack, for networks of this data set; of a union, one per ball."""
        from robustbench_cli.jobs.attack_config import make_attack_config
        from robustbench_cli.runs.norm_union import attacks_of

        if self.unions and sweep:
            raise UsageError(
                "a union over norms has one radius in each, no range; type: robustmix attack"
            )
        made = [
            make_attack_config(
                text,
                data,
                epsilons,
                sweep=sweep,
                samples=self.samples,
                split=self.split,
                seed=self.attack_seed,
                schedule=self.schedule,
                view=self.view,
                batch_size=self.batch_size,
                checks=self.checks,
                eight_bit=self.eight_bit,
                audit=self.audit,
                compile=self.compile,
                precision=self.precision,
                threads=self.threads,
                defence=defence,
            )
            for defence in defences
            for text, epsilons in attacks_of(
                self.attacks, self.eps or (), self.eps_range or (), self.unions
            )
        ]
        return list(dict.fromkeys(made))


@dataclass(frozen=True)
class Guard:
    """Defences at test time for networks that were trained without them."""

    defence: Annotated[
        list[str] | None,
        Option(
            metavar="SPEC[+SPEC...]",
            help="Put before the network at test time, as smoothing:sigma=0.25. Repeat for a grid; "
            "plain: none.",
        ),
    ] = None

    def defences(self) -> list[str | None]:
        """In the order given; what the user typed may name their own class."""
        if not self.defence:
            return [None]
        from robustbench_cli.training.deploy import build_defences

        for text in self.defence:
            build_defences(text)
        return list(self.defence)


def open_targets(
    names: Sequence[str],
    foreign: Foreign,
    where: Where,
    attacks: Callable[[str], Sequence[AttackConfig]] = lambda _: (),
) -> list[Run]:
    """Runs, their folders and patterns, checkpoint files and robustbench:NAME, as finished runs.

    ``A+B`` is one network made of several of those.

    `attacks` says how networks of a data set will be attacked: by that a checkpoint's guess of the
    normalisation is judged.
    """
    from robustbench_cli.data.dataset import Dataset
    from robustbench_cli.origins import Said, open_named, parts
    from robustbench_cli.runs.given import is_known
    from robustbench_cli.runs.run import load_runs, refuse_hugging_face
    from robustbench_cli.spec import build

    if not names:
        raise UsageError("nothing to attack; name a run directory or a checkpoint file")
    said = Said(**asdict(foreign))
    if option := said.unneeded(names):
        for part in (each for name in names for each in parts(name)):
            refuse_hugging_face(Path(part))
            if not is_known(part):
                load_runs(part)  # a name of nothing at all says so
        raise UsageError(
            f"--{option.replace('_', '-')} is for checkpoint files, and {names[0]} is none; a "
            "run carries its own"
        )
    if said.data:
        build(Dataset, said.data)  # the user typed it, so it may name their own class
    found: dict[Path, Run] = {}
    for name in names:
        for run in open_named(name, where, said, attacks):
            if not run.finished:
                raise UsageError(
                    f"{run.path} is not trained to its end; "
                    "go on: robustmix train, with the options it was begun with"
                )
            found.setdefault(run.path.resolve(), run)
    return list(found.values())
