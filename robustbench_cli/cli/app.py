"""``robustmix`` itself: its subcommands, and what it can say about its parts."""

from __future__ import annotations

from typing import Annotated

import typer

from robustbench_cli import __version__

from .analyse import analyse
from .attack import attack
from .card import card
from .doctor import doctor
from .explain import LISTS
from .grids import GridCommand
from .report import report
from .run import run
from .spread import Command, with_groups
from .sweep_epsilon import sweep_epsilon
from .track import track
from .train import train
from .transfer import transfer

EXAMPLES = """\
Train image classifiers to withstand adversarial attacks, attack them, and say what the numbers
are worth. Epsilons are in pixels of [0, 1].

\b
  robustmix train -m plain -m pgd-at --seeds 3        train two methods, three seeds each
  robustmix attack runs/* -a linf-pgd -e 0.1          accuracy under attack
  robustmix sweep-epsilon runs/* --eps-range 0:0.5:0.05
  robustmix analyse runs/* -n church-window -o windows.png
  robustmix report runs/* --figure decay-curve -o decay.png
  robustmix card resnet20.th --data cifar10 --minutes 30      a referee's protocol, on one page
  robustmix track runs/* --to tensorboard             what other tools are told
  robustmix run examples/quickstart.toml              all of it from one file
  robustmix attack resnet20.th --data cifar10         somebody else's weights
  robustmix --list methods                            what there is
  robustmix --explain pgd-at                          what one of them does

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage,
3 some of many jobs failed, 130 interrupted, 143 ended by SIGTERM.
"""

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: dict[Command, str] = {
    train: "Train networks, one for each combination of options.",
    attack: "Attack networks: accuracy at each epsilon.",
    sweep_epsilon: "Attack over a grid of epsilons: how accuracy decays.",
    transfer: "Do adversarials made on one network fool another?",
    analyse: "Look inside and around: church windows, margins, subspaces...",
    report: "Tables and pictures from run directories.",
    card: "A referee's whole protocol for one network, on a page and as card.json.",
    track: "Tell trackio, wandb, tensorboard or mlflow of finished runs.",
    run: "A whole experiment from one TOML file.",
    doctor: "What is installed, which device, which data are there.",
}


def _name(command: Command) -> str:
    return command.__name__.replace("_", "-")


for command, line in COMMANDS.items():
    app.command(_name(command), cls=GridCommand, short_help=line)(with_groups(command))
app.command("analyze", cls=GridCommand, hidden=True)(with_groups(analyse))


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"robustmix {__version__}")
        raise typer.Exit


def _print_list(room: str | None) -> None:
    if room:
        from .explain import listing

        typer.echo(listing(room))
        raise typer.Exit


def _print_explanation(spec: str | None) -> None:
    if spec == "all":
        from .reference import reference

        commands = {_name(command): command for command in COMMANDS}
        typer.echo(reference(EXAMPLES, main, commands), nl=False)
        raise typer.Exit
    if spec:
        from .explain import explanation

        typer.echo(explanation(spec))
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="And stop.")
    ] = False,
    _list: Annotated[
        str | None,
        typer.Option(
            "--list",
            callback=_print_list,
            is_eager=True,
            metavar="|".join(LISTS),
            help="List them, a line each.",
        ),
    ] = None,
    _explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            callback=_print_explanation,
            is_eager=True,
            metavar="SPEC",
            help="What one of them does: formula, parameters, paper, cost. all: a whole reference.",
        ),
    ] = None,
) -> None:
    """Options of robustmix itself."""
