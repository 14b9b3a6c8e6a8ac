"""``robustmix report``."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError

from . import show
from .completion import names_of
from .groups import Output, Voice


def report(
    *,
    runs: Annotated[
        list[str] | None, Argument(metavar="[RUN...]", help="Run directories; runs/ by default.")
    ] = None,
    by: Annotated[
        str, Option(help="What a row stands for: method, model, data, train-fraction, run...")
    ] = "method",
    attack: Annotated[
        list[str] | None, Option("--attack", "-a", metavar="SPEC", help="Only these; repeat.")
    ] = None,
    eps: Annotated[
        list[str] | None, Option("--eps", "-e", metavar="EPS[,EPS...]", help="Only these.")
    ] = None,
    figure: Annotated[
        str | None,
        Option(
            metavar="SPEC",
            help="Draw this into -o FILE.png; see --list figures. decay-curve: without -o, in text "
            "on a terminal.",
            autocompletion=names_of("figures"),
        ),
    ] = None,
    highlight: Annotated[
        list[str] | None,
        Option(metavar="NAME", help="These lines in colour, the others grey; repeat."),
    ] = None,
    against: Annotated[
        str | None,
        Option(metavar="NAME", help="Compare each row with this one, on the same images: plain."),
    ] = None,
    claims: Annotated[
        Path | None,
        Option(metavar="FILE.toml", help="Judge its [[claim]] and [[published]] by these runs."),
    ] = None,
    transfers: Annotated[bool, Option("--transfers", help="The transfer table.")] = False,
    analysis: Annotated[
        list[str] | None,
        Option("--analysis", "-n", metavar="SPEC", help="The numbers of stored analyses; repeat."),
    ] = None,
    output: Output,
    voice: Voice,
) -> None:
    """Tables and pictures from run directories; trains and attacks nothing.

    Runs that differ in nothing but the seed are one row: mean and t interval over three or more
    seeds; one run has Wilson's interval, which knows of test sampling only.

    \b
      robustmix report runs/*
      robustmix report runs/* -a linf-pgd -e 0.1,0.2 -f markdown -o results.md
      robustmix report runs/* -a union -e linf=8/255,l2=0.5   worst over norms, of stored attacks
      robustmix report runs/* --against plain                 differences, with intervals
      robustmix report runs/* --figure decay-curve            here, in the terminal
      robustmix report runs/* --figure decay-curve --highlight pgd-at -o decay.svg
      robustmix report runs/* --figure setting-curve:label-noise,y=area -o noise.png
      robustmix report runs/* --figure scatter:eps=0.1 -o tradeoff.png
      robustmix report runs/* --figure timing:against=plain -o cost.pdf
      robustmix report runs/* --claims thesis.toml            published numbers and claims, judged
      robustmix report runs/* -o results/                     every format and picture
      robustmix report runs/* -o report.html                  all of it on one page, to send on
    """
    from robustbench_cli.reporting import report as reporting
    from robustbench_cli.reporting import writing
    from robustbench_cli.reporting.figure import Figure
    from robustbench_cli.reporting.page import is_page
    from robustbench_cli.runs.norm_union import asked_for, attacks_of
    from robustbench_cli.runs.run import load_runs
    from robustbench_cli.spec import build

    found = load_runs(runs or ["runs"])
    unions = asked_for(attack or (), eps or ())
    made = attacks_of(attack or (), eps or (), (), unions) if unions else []
    attacks = [text for text, _ in made] or attack or None
    epsilons = list(grid(text for text in eps or () if "=" not in text)) or None
    if unions and (transfers or (figure and not is_page(output.output)) or analysis):
        raise UsageError("a union over norms stands in tables of attacks; leave -a union out")
    path = output.output
    options: dict[str, object] = {
        "by": by if by != "method" else None,
        "attack": attack,
        "eps": eps,
    }
    options |= {"figure": figure, "highlight": highlight, "against": against}
    options |= {"claims": claims, "analysis": analysis, "output": path}
    typed = _typed(runs or ["runs"], options)
    if is_page(path) and path is not None:
        if output.format or output.json:
            raise UsageError(f"{path} is a page; leave {'--json' if output.json else '-f'} out")
        table = writing.write_page(
            found,
            path,
            by=by,
            attack=attacks,
            epsilons=epsilons,
            against=against,
            highlight=highlight or (),
            analysis=analysis,
            figures=[figure] if figure else (),
            statements=claims,
            unions=unions,
            command=typed,
        )
        show.emit_table(table, replace(output, output=None))
        show.say(f"wrote {path}")
    elif figure and path is None and show.to_a_terminal() and _is_decay(figure):
        build(Figure, figure)  # what else is typed may be a slip
        text = reporting.drawn_as_text(
            found,
            min(shutil.get_terminal_size().columns, 100),
            by=by,
            attack=attacks,
            epsilons=epsilons,
            highlight=highlight or (),
            unicode=(sys.stdout.encoding or "").lower().startswith("utf"),
            colour="NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb",
        )
        show.emit(text)
    elif figure:
        if path is None or str(path) == "-":
            name = figure.partition(":")[0]
            raise UsageError(
                f"--figure {figure} needs a file: -o {name}.png, .svg or .pdf"
                + "; without one, a terminal shows it as text" * _is_decay(figure)
            )
        reporting.check_suffix(path)
        drawing = reporting.figure(
            figure,
            found,
            by=by,
            attack=attacks,
            epsilons=epsilons,
            highlight=highlight or (),
            analysis=analysis,
            statements=claims,
        )
        reporting.save_figure(drawing, path)
        show.say(f"wrote {path}")
    elif path is not None and path.suffix in (".png", ".svg", ".pdf"):
        known = "claims" if claims else "decay-curve"
        raise UsageError(f"{path} is a picture; say which: --figure {known}")
    elif analysis:
        show.emit_table(reporting.summary(found, by=by, analysis=analysis), output)
    elif path is not None and _is_folder(path):
        table, written = writing.write_report(
            found,
            path,
            by=by,
            attack=attacks,
            epsilons=epsilons,
            against=against,
            highlight=highlight or (),
            statements=claims,
            unions=unions,
            command=typed,
        )
        show.emit_table(table, replace(output, output=None))
        show.say("wrote " + ", ".join(map(str, written)))
    elif claims:
        show.emit_table(reporting.judge(found, claims, by=by), output)
    elif transfers:
        table = reporting.transfer_table(found, by=by, attack=attacks, epsilons=epsilons)
        show.emit_table(table, output)
    else:
        table = reporting.table(
            found, by=by, attack=attacks, epsilons=epsilons, against=against, unions=unions
        )
        show.emit_table(table, output)


def _is_decay(figure: str) -> bool:
    return figure.partition(":")[0] == "decay-curve"


def _is_folder(path: Path) -> bool:
    """``-o results/`` arrives without its slash, so a name without a suffix is a folder, too."""
    return path.is_dir() or not (path.suffix or str(path) == "-" or path.is_file())


def _typed(runs: list[str], options: dict[str, object]) -> str:
    """The command line of this report, to stand on it."""
    words = ["robustmix", "report", *runs]
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            words += [f"--{name}", str(each)] if each is not None else []
    return shlex.join(words)
