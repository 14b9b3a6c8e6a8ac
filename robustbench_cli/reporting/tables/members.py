"""What each member of a worst case broke and cost: a section for each evaluation of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robustbench_cli.reporting.formats.table import Section
from robustbench_cli.runs.evaluation import Evaluation

_HEADER = ("member", "eps", "tried", "broke first")
_EVERY = ("in all", "alone")
_COST = ("forwards", "backwards", "seconds")


def member_sections(files: Sequence[Path]) -> list[Section]:
    """For records that have `members`. Each tried what the ones above it left; passes are per image
    of the evaluation, so that they add up. Where all were shown every broken sample, also what
    each breaks of them, and what no other does."""
    return [
        _section(path.parent.parent.name, evaluation)
        for path in files
        if (evaluation := Evaluation.load(path)).record.get("members")
    ]


def _section(run: str, evaluation: Evaluation) -> Section:
    members = evaluation.record["members"]
    every = all("alone" in member for member in members)
    counts = ("tried", "broken", *(("in_all", "alone") if every else ()))
    rows = [
        (
            member["member"],
            member["eps"],
            *(str(member[key]) for key in counts),
            *(f"{member[key] / evaluation.n:.1f}" for key in _COST[:2]),
            f"{member['seconds']:.1f}",
        )
        for member in members
    ]
    what = "each member on what those above it left"
    what += ", then on what they broke; alone: no other member does" if every else ""
    title = f"{run}, {evaluation.attack}: {what}; passes per image"
    return Section(title, (*_HEADER, *(_EVERY if every else ()), *_COST), tuple(rows))
