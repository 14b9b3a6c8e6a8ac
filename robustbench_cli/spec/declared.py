"""What a plugin's file declares, read from its text: nothing is imported for a list or a label."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

from robustbench_cli.errors import UsageError

from .plugin import PACKAGE, Plugin
from .registry import source
from .values import number


@cache
def defaults(room: str, name: str) -> dict[str, Any]:
    """Parameters of a plugin with their defaults, inherited ones too, read without importing it."""
    return _declared(source(room, name))


def _declared(path: Path, only: str | None = None) -> dict[str, Any]:
    """What the classes of a file, or one of them, declare by ``param``."""
    tree = ast.parse(path.read_text("utf-8"))
    homes = {
        alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    found: dict[str, Any] = {}
    for each in tree.body:
        if not isinstance(each, ast.ClassDef) or only not in (None, each.name):
            continue
        for base in (b.id for b in each.bases if isinstance(b, ast.Name)):
            if base != Plugin.__name__:  # the root of all, which has none
                package, _, module = homes.get(base, "").partition(".")
                home = Path(__file__).parents[1] / f"{module.replace('.', '/')}.py"
                found |= _declared(home if package == PACKAGE else path, base)
        for line in each.body:
            match line:
                case ast.AnnAssign(
                    target=ast.Name(id=key),
                    value=ast.Call(func=ast.Name(id="param"), args=[ast.expr() as first, *_]),
                ):
                    found |= {key.replace("_", "-"): value for value in _literal(first)}
    return found


def _literal(expression: ast.expr) -> list[Any]:
    """The value, also of ``10 / 255``; nothing for what only the program knows."""
    try:
        return [ast.literal_eval(expression)]
    except ValueError:
        try:
            return [float(number(ast.unparse(expression).replace(" ", "")))]
        except UsageError:
            return []
