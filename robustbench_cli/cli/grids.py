"""Options that take specs take grids of them: ``-m 'vib:beta={1e-4,1e-3}'`` is two methods."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from typer.core import TyperCommand

from robustbench_cli.spec import expand_all


class GridCommand(TyperCommand):
    """Expands braces in options that may be repeated and take a SPEC.

    A shell that was shown no quotes did so already, and left several words: they are taken
    together again where nothing else can be meant.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        specs = {
            option: parameter.name
            for parameter in self.params
            if getattr(parameter, "multiple", False) and str(parameter.metavar).startswith("SPEC")
            for option in parameter.opts
        }
        alone = all(parameter.param_type_name == "option" for parameter in self.params)
        rest = super().parse_args(ctx, _together(args, specs, alone))
        for name in specs.values():
            if ctx.params.get(name):
                ctx.params[name] = expand_all(ctx.params[name])
        return rest


def _together(args: Sequence[str], specs: Collection[str], alone: bool) -> list[str]:
    """`args` with the option before each word that goes on the list of the word before it.

    Where a command takes nothing but options (`alone`), that is any word; else one that shares the
    name before the colon: ``-a linf-pgd:steps=10 linf-pgd:steps=20``.
    """
    found: list[str] = []
    option = name = ""
    for i, word in enumerate(args):
        if word == "--":
            return [*found, *args[i:]]
        stem, colon, _ = word.partition(":")
        if i and args[i - 1] in specs:
            option, name = args[i - 1], stem
        elif option and not word.startswith("-") and (alone or (colon and stem == name)):
            found.append(option)
        else:
            option = ""
        found.append(word)
    return found
