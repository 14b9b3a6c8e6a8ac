"""``[[published]]`` and ``[[claim]]``: what others say, to be held against the report's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.reporting.statements import Claim, Statement, Statements, read_statements
from robustbench_cli.spec import build, build_all
from robustbench_cli.training.method import Method


def read(document: Mapping[str, Any], by: str) -> Statements:
    """A name that no method or attack has is a slip, and found before anything is trained.

    One that only has no run here is none: its row in the table says what is missing.
    """
    found = read_statements(document, by)
    for each in (*found.published, *found.claims):
        for attack in _attacks(each):
            build(Attack, attack, trusted=False)
        for name in _groups(each) if each.by == "method" else ():
            build_all(Method, name.partition(", ")[0].partition(" + ")[0], trusted=False)
    return found


def _attacks(statement: Statement) -> list[str]:
    if isinstance(statement, Claim) and statement.relation == "stronger":
        return [statement.first, statement.second]
    return [statement.attack] if statement.attack else []


def _groups(statement: Statement) -> list[str]:
    """What `Published` and `Claim` name by label or by method."""
    if isinstance(statement, Claim) and statement.relation != "stronger":
        return [statement.first, statement.second]
    return [name] if (name := getattr(statement, "method", None)) else []
